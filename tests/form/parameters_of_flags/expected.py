# ------------------------------------------------------- scale --------------------------------------------------------
# Scaling, perhaps by half.


class Scaler:
    """The constructor's flag folds away."""

    def __init__(
        self,
        factor: float,  # this one stays
    ) -> None:
        self.factor = factor / 2

    def apply(self, x: float) -> float:
        """No call passes the flag."""
        return x * self.factor


def scaled(x: float, factor: float = 1.0) -> float:
    while True:
        x /= 2
        break
    return x * factor


# -------------------------------------------------------- main --------------------------------------------------------
# Flags travel through parameters.


def main(path: str) -> None:
    scaler = Scaler(3)
    print(scaler.apply(2.0), scaled(4.0, factor=5))
    print(scaled(1.0, factor=7), both(1, True), both(2, False), ignored(8))
    print(f"{shown(False)}", text())


def both(x: int, negate: bool) -> int:
    """Calls disagree, so this one keeps its parameter."""
    return -x if negate else x


def ignored(x: int) -> int:
    return x + 1


def shown(flag: bool) -> str:
    """Called inside an f-string, where it stays as it is."""
    return "on" if flag else "off"


def text() -> str:
    return "flag False of False".title()


if __name__ == "__main__":
    main(__file__)
