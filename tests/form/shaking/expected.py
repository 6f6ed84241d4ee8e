import math


# ------------------------------------------------------- shapes -------------------------------------------------------
# Shapes: what nothing reaches under a recipe goes, imports included.


DIGITS = 3  # of an area


def rounded(x: float) -> float:
    """Area as it is printed."""
    return round(x, DIGITS)


class Circle:
    """A class of our own loses the methods that nobody calls, and what it declares but nobody sets or reads."""

    color: str

    def __init__(self, radius: float) -> None:
        self.radius = radius

    # from the radius
    def area(self) -> float:
        return rounded(math.pi * self.radius**2) if self.color else 0


# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    circle = Circle(1.5)
    circle.color = "red"
    print(circle.area())


if __name__ == "__main__":
    main(__file__)
