from collections.abc import Iterator

from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    print(list(nothing(cfg)), list(some(cfg)))


def nothing(cfg: Config) -> Iterator[int]:
    """Yields nothing under this recipe, and is a generator all the same."""
    if cfg.model.skip_gates:
        yield 1


def some(cfg: Config) -> Iterator[int]:
    if cfg.model.skip_gates:
        yield 1
    yield 2
    return
    yield 3
