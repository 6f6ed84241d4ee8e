from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    print(choose(cfg, 3), stores(cfg, 4), functions(cfg, 5))


def choose(cfg: Config, x: int) -> str:
    if cfg.data.loader == "coprime":
        return f"coprime {x}"
    # only for the other loader
    y = x + 1
    return f"contiguous {y}"


def stores(cfg: Config, x: int) -> int:
    # only the dead branch reads it
    limit = x * 2
    effect = print("kept")
    if cfg.model.skip_gates:
        print(limit, effect)

    return x


def functions(cfg: Config, x: int) -> int:
    count = x

    # only the dead branch calls it
    def double(y: int = 2) -> int:
        nonlocal count
        count += 1
        return 2 * y

    def kept(y: int) -> int:
        return y + count

    if cfg.model.skip_gates:
        return double()
    return kept(x)
