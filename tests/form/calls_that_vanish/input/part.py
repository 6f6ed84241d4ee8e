"""A part that is off, one function for each place where it would act."""

from toolkit.components.config import Config


def add_table(cfg: Config, model: object, tokens: list[int], x: int) -> int:
    if not cfg.model.bigram_dim:
        return x
    return x + sum(tokens)


def shift(cfg: Config, model: object, x: int) -> int:
    """The argument itself while the part is off."""
    if cfg.model.smear_gate:
        x += 1
    return x


def visits(cfg: Config, model: object, blocks: list[str]) -> list[str]:
    return blocks * 2 if cfg.model.skip_gates else blocks


def count_extra(cfg: Config, model: object = None) -> int:
    return cfg.model.bigram_buckets


def prepare(cfg: Config, model: object) -> None:
    if cfg.model.smear_gate:
        print("on", model)
