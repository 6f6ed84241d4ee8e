"""Scaling, perhaps by half."""


class Scaler:
    """The constructor's flag folds away."""

    def __init__(
        self,
        halve: bool,  # only this line goes
        factor: float,  # this one stays
    ) -> None:
        self.factor = factor / 2 if halve else factor

    def apply(self, x: float, halve: bool = True) -> float:
        """No call passes the flag."""
        return x * self.factor if halve else x


def scaled(x: float, halve: bool, factor: float = 1.0) -> float:
    while halve:
        x /= 2
        break
    return x * factor
