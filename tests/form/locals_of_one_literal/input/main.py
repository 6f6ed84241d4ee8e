"""Values follow a local that is set once."""

from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    print(single(cfg, 2), several(cfg, 3), inside(cfg, 4), tested(cfg, 5))
    print(early(cfg, 1), twice(cfg, 6), one_arm(cfg, 7), changed(cfg), named(cfg))


def single(cfg: Config, x: int) -> list[int]:
    # the table, if there is one
    table = [1, 2] if cfg.model.bigram_dim else None
    if table is not None:
        x += table[0]
    return [x]


def several(cfg: Config, x: int) -> str:
    table, y = [1, 2] if cfg.model.bigram_dim else None, x + 1
    return f"{y} of {table}" if table else f"{y}, not {table}"


def inside(cfg: Config, x: int) -> list[int]:
    flag = cfg.model.ln_scale

    def scaled(y: int) -> int:
        return y * x if flag else y

    return [scaled(y) for y in range(2)]


def tested(cfg: Config, x: int) -> list[int]:
    """A number moves where its truth decides."""
    layers = cfg.model.xsa_layers
    return [x - layers] if layers else [x]


def named(cfg: Config) -> int:
    """A number that only counts keeps its name."""
    layers = cfg.model.num_layers
    return layers * layers + layers


def early(cfg: Config, x: int) -> list[bool]:
    """Read above where it is set, in the next turn of the loop."""
    seen = []
    for i in range(x + 1):
        if i:
            seen.append(flag)
        flag = cfg.model.ln_scale
    return seen


def twice(cfg: Config, x: int) -> bool:
    flag = cfg.model.ln_scale
    if x > 5:
        flag = True
    return flag


def one_arm(cfg: Config, x: int) -> bool:
    if x:
        flag = cfg.model.ln_scale
    return flag


def changed(cfg: Config) -> bool:
    flag = cfg.model.ln_scale

    def change() -> None:
        nonlocal flag
        flag = not flag

    change()
    return flag
