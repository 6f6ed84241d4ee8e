"""One-sided t-tests of an improvement, as pure functions over per-seed losses (lower is better).

Every test asks: is the mean of `new` below the mean of `old` by more than `margin`? The p-value is the chance of a
difference at least as large if the improvement were exactly `margin`. Deviations are those of a sample (n - 1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance


@dataclass(frozen=True)
class TTest:
    """Outcome of a test. `gain` is mean(old) - mean(new), in the unit of the values."""

    name: str
    gain: float
    statistic: float
    degrees: float
    p_value: float


def welch(new: Sequence[float], old: Sequence[float], margin: float = 0.0) -> TTest:
    """Two independent samples of at least two values each, variances not assumed equal (Welch 1947)."""
    parts = [variance(sample) / len(sample) for sample in (new, old)]
    total = sum(parts)
    weights = sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (new, old), strict=True))
    degrees = total**2 / weights if weights else float(len(new) + len(old) - 2)
    return _t_test("Welch", fmean(old) - fmean(new), margin, math.sqrt(total), degrees)


def one_sample(new: Sequence[float], bar: float, margin: float = 0.0) -> TTest:
    """At least two values against a single number, whose own spread is unknown and taken as none."""
    return _t_test("one-sample", bar - fmean(new), margin, math.sqrt(variance(new) / len(new)), len(new) - 1.0)


def paired(new: Sequence[float], old: Sequence[float], margin: float = 0.0) -> TTest:
    """At least two pairs that share what else varies, such as the seed."""
    gains = [b - a for a, b in zip(new, old, strict=True)]
    return _t_test("paired", fmean(gains), margin, math.sqrt(variance(gains) / len(gains)), len(gains) - 1.0)


def compare(
    new: Sequence[float],
    old: Sequence[float],
    margin: float = 0.0,
    new_seeds: Sequence[int | None] | None = None,
    old_seeds: Sequence[int | None] | None = None,
) -> TTest | None:
    """The test that fits: paired when both sides ran the same seeds, one-sample when `old` is one number, else Welch.

    None when there are too few values to know their spread.
    """
    if len(new) < 2 or not old:
        return None
    if len(old) == 1:
        return one_sample(new, old[0], margin)
    if new_seeds and old_seeds and None not in (*new_seeds, *old_seeds):
        ours, theirs = dict(zip(new_seeds, new, strict=True)), dict(zip(old_seeds, old, strict=True))
        if ours.keys() == theirs.keys() and len(ours) == len(new) == len(old):
            return paired(list(ours.values()), [theirs[seed] for seed in ours], margin)
    return welch(new, old, margin)


def _t_test(name: str, gain: float, margin: float, error: float, degrees: float) -> TTest:
    from scipy.special import stdtr  # Student's t; a tenth of the import time of scipy.stats

    excess = gain - margin
    statistic = math.copysign(math.inf, excess) if excess else 0.0  # without any spread: certain, or even
    if error:
        statistic = excess / error
    return TTest(name, gain, statistic, degrees, float(stdtr(degrees, -statistic)))
