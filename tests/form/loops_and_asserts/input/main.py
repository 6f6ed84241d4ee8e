from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    assert cfg.model.num_layers > 1, "too few"
    count = 0
    # never
    while cfg.model.skip_gates:
        count += 1
    while cfg.model.num_layers == 9:
        count += 1
        if count > 3:
            break
        assert count, "counts"
    print(count, Quiet().empty(cfg), only(cfg, count))


class Quiet:
    def empty(self, cfg: Config) -> None:
        """A docstring is a body."""
        if cfg.model.skip_gates:
            print("gates")


def only(cfg: Config, x: int) -> None:
    if x:
        assert cfg.model.num_layers
    for _ in range(x):
        if cfg.model.ln_scale:
            print("scale")
