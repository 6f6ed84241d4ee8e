# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    count = 0
    while True:
        count += 1
        if count > 3:
            break
        assert count, "counts"
    print(count, Quiet().empty(), only(count))


class Quiet:
    def empty(self) -> None:
        """A docstring is a body."""


def only(x: int) -> None:
    for _ in range(x):
        pass


if __name__ == "__main__":
    main(__file__)
