"""Calls whose disappearance would be noticed, or is not sure to go unnoticed."""

from toolkit.components.config import Config


def first(x: int, y: int) -> int:
    return x


def nothing(x: int) -> None:
    pass


def starred(*x: int) -> tuple[int, ...]:
    return x


def say(text: str) -> int:
    print(text)
    return len(text)


def generate(x: int) -> list[int]:
    return x
    yield


def main(cfg: Config, script: str) -> None:
    pair = (1, 2)
    print(first(3, say("the effects of what is dropped")), nothing(say("and of an argument to nothing")))
    print(first(*pair), starred(*pair), [*generate(pair)])
    calls = [first, nothing]
    print(calls[0](4, 5), calls[1](6))

    def first_of(first: list[str]) -> str:
        return first[0]

    print(first_of([script])[:0])
