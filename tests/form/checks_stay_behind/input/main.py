from collections.abc import Iterator

from toolkit.components.config import Config


def main(cfg: Config, script: str) -> None:
    words = iter(["one", "two"])
    if __debug__:
        words = checked("words", words)
    print(list(words), sized("words", len(script)) > 3, "checks" if __debug__ else f"no {script[:0]}{__debug__} checks")


def checked(name: str, words: Iterator[str]) -> Iterator[str]:
    """For whoever works on the modules."""
    for word in words:
        assert word, f"{name}: expected no empty word"
        yield word


def sized(name: str, size: int) -> int:
    if __debug__ and not size:
        raise ValueError(name)
    print("sized")
    return size
