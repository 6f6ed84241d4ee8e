"""Shapes: what nothing reaches under a recipe goes, imports included."""

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction

SIDES = 4
DIGITS = 3  # of an area
UNUSED = "nothing names it"


def area_of_square(side: float) -> str:
    return json.dumps([side**2, SIDES])


def rounded(x: float) -> float:
    """Area as it is printed."""
    return round(x, DIGITS)


class Circle:
    """A class of our own loses the methods that nobody calls, and what it declares but nobody sets or reads."""

    label: Fraction  # on the rim
    color: str
    center: Fraction

    def __init__(self, radius: float) -> None:
        self.radius = radius

    # from the radius
    def area(self) -> float:
        return rounded(math.pi * self.radius**2) if self.color else 0

    def circumference(self) -> Fraction:
        return Fraction(2 * math.pi * self.radius)


@dataclass
class Unused:
    sizes: list[int] = field(default_factory=list)
