from collections.abc import Iterator


# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(list(nothing()), list(some()))


def nothing() -> Iterator[int]:
    """Yields nothing under this recipe, and is a generator all the same."""
    if False:
        yield 1


def some() -> Iterator[int]:
    yield 2
    return


if __name__ == "__main__":
    main(__file__)
