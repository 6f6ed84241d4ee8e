"""t-tests of an improvement: against scipy.stats, and against numbers that can be checked by hand."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toolkit.check.statistics.t_tests import TTest, compare, one_sample, paired, welch

NEW = [1.8912, 1.8899, 1.8921]
OLD = [1.8991, 1.8975, 1.9003, 1.8988]
LOSSES = st.lists(st.floats(1.0, 3.0), min_size=2, max_size=6).filter(lambda xs: max(xs) - min(xs) > 1e-6)


def agrees(ours: TTest, scipy_result: Any) -> None:
    assert abs(ours.statistic) == pytest.approx(abs(scipy_result.statistic), rel=1e-6, abs=1e-9)
    assert ours.p_value == pytest.approx(scipy_result.pvalue, rel=1e-6, abs=1e-12)


@given(LOSSES, LOSSES, st.floats(0.0, 0.1))
def test_welch_is_scipys(new: list[float], old: list[float], margin: float) -> None:
    shifted = [value - margin for value in old]
    agrees(welch(new, old, margin), stats.ttest_ind(shifted, new, equal_var=False, alternative="greater"))


@given(LOSSES, st.floats(1.0, 3.0))
def test_one_sample_is_scipys(new: list[float], bar: float) -> None:
    agrees(one_sample(new, bar), stats.ttest_1samp(new, bar, alternative="less"))


def test_paired_is_scipys() -> None:
    agrees(paired(NEW, OLD[:3]), stats.ttest_rel(OLD[:3], NEW, alternative="greater"))


def test_by_hand() -> None:
    # Gains 1, 2, 3: mean 2, sample deviation 1, t = 2 / (1 / sqrt(3)); with two degrees P(T > t) has a closed form.
    test = paired([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    t = 2 * math.sqrt(3)
    assert test.gain == 2
    assert test.statistic == pytest.approx(t)
    assert test.p_value == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)))


def test_margin_asks_for_more_than_any_gain() -> None:
    gain = welch(NEW, OLD).gain
    assert welch(NEW, OLD, margin=gain).p_value == pytest.approx(0.5)
    assert welch(NEW, OLD, margin=gain + 0.001).p_value > 0.5 > welch(NEW, OLD, margin=gain - 0.001).p_value


def test_no_spread_is_certain_or_even() -> None:
    assert welch([1.0, 1.0], [2.0, 2.0]).p_value == 0.0
    assert welch([2.0, 2.0], [1.0, 1.0]).p_value == 1.0
    assert one_sample([2.0, 2.0], 2.0).p_value == 0.5


Seeds = list[int | None] | None


def chosen(new: list[float], old: list[float], new_seeds: Seeds = None, old_seeds: Seeds = None) -> str | None:
    test = compare(new, old, 0.0, new_seeds, old_seeds)
    return test.name if test else None


def test_the_fitting_test_is_chosen() -> None:
    assert chosen(NEW, [1.9]) == "one-sample"
    assert chosen(NEW, OLD) == "Welch"
    same = compare(NEW, [1.9, 1.8, 1.7], new_seeds=[1, 2, 3], old_seeds=[3, 2, 1])
    assert same == paired(NEW, [1.7, 1.8, 1.9])
    assert chosen(NEW, [1.9, 1.8, 1.7], [1, 2, 3], [1, 2, 4]) == "Welch"
    assert compare(NEW[:1], OLD) is None
    assert compare(NEW, []) is None
