"""How many seeds a gain needs: the power of one-sided t-tests over per-seed losses.

The seeds are taken as draws from a normal distribution of the given deviation, the same on both sides.
"""

import math
from dataclasses import dataclass

MAX_SEEDS = 1000


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds that it takes in all to meet a bar; None when even `MAX_SEEDS` are too few."""

    bar: str
    seeds: int | None


def power(gain: float, deviation: float, seeds: int, old_seeds: int, margin: float, p_value: float) -> float:
    """Chance that a test with `seeds` values comes out below `p_value`.

    `old_seeds` is the number of values on the other side; 1 stands for a single number without a spread of its own.
    """
    from scipy.special import nctdtr, stdtrit

    both = old_seeds > 1
    degrees = seeds + old_seeds - 2 if both else seeds - 1
    error = deviation * math.sqrt(1 / seeds + (1 / old_seeds if both else 0))
    return 1.0 - float(nctdtr(degrees, (gain - margin) / error, stdtrit(degrees, 1 - p_value)))


def seeds_needed(
    gain: float, deviation: float, old_seeds: int, margin: float, p_value: float, chance: float
) -> int | None:
    """The fewest seeds whose test succeeds with at least this chance; None for more than `MAX_SEEDS`."""
    if gain <= margin:
        return None
    if deviation == 0:
        return 2
    return next(
        (n for n in range(2, MAX_SEEDS + 1) if power(gain, deviation, n, old_seeds, margin, p_value) >= chance), None
    )
