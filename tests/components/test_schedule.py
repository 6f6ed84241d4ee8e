"""Schedule: values worked out by hand, and what holds for every setting."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.components.config import Config
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.settings.train import Train
from toolkit.components.training.progress import Progress
from toolkit.components.training.schedule import learning_rate_scale, muon_momentum


def config(**train: Any) -> Config:
    return replace(Config(), train=replace(Train(), **train))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, 1), (100, 1), (200, 1), (300, 0.75), (500, 0.25), (600, 0), (601, 0)]
)
def test_fraction_of_the_clock(seconds: float, expected: float) -> None:
    """Two thirds of 600 s: down from 1 at 200 s to 0 at 600 s, whatever the number of steps."""
    cfg = config(warmdown_fraction=2 / 3)
    for step in (1, 5000):
        assert learning_rate_scale(cfg, Progress(step, 20_000, seconds, 600)) == pytest.approx(expected)


@pytest.mark.parametrize(("step", "expected"), [(0, 1), (750, 1), (800, 0.8), (999, 0.004)])
def test_fraction_of_the_iterations_without_a_clock(step: int, expected: float) -> None:
    assert learning_rate_scale(config(warmdown_fraction=0.25), Progress(step, 1000, 12.0, 0)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "seconds", "expected"),
    [
        (0, 0, 1),  # nothing is known yet
        (1000, 60, 1),  # 9000 steps left at 60 ms
        (8800, 528, 1),
        (9000, 540, 1000 / 1200),
        (9900, 594, 100 / 1200),
        (10, 599, 10 / 599 / 1200),  # slow steps: a sixtieth of one is left
        (10_001, 600.1, 0),
    ],
)
def test_iterations_at_the_running_step_time(step: int, seconds: float, expected: float) -> None:
    found = learning_rate_scale(config(warmdown_iterations=1200), Progress(step, 20_000, seconds, 600))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("step", "expected"), [(0, 1), (80, 1), (90, 0.5), (99, 0.05)])
def test_iterations_without_a_clock(step: int, expected: float) -> None:
    assert learning_rate_scale(config(warmdown_iterations=20), Progress(step, 100, 1.0, 0)) == pytest.approx(expected)


def test_without_a_warm_down_the_rate_stays() -> None:
    assert learning_rate_scale(config(), Progress(19_999, 20_000, 599.9, 600)) == 1


def test_floor_of_the_rate() -> None:
    cfg = config(warmdown_fraction=0.5, min_lr=0.1)
    assert learning_rate_scale(cfg, Progress(1, 10, 590, 600)) == 0.1
    assert learning_rate_scale(cfg, Progress(1, 10, 450, 600)) == pytest.approx(0.5)


@given(
    step=st.integers(1, 10_000),
    seconds=st.floats(0.001, 1000),
    cap=st.sampled_from([0.0, 0.5, 600.0]),
    fraction=st.floats(0, 1),
    iterations=st.sampled_from([0, 1, 1200]),
    floor=st.floats(0, 1),
)
def test_the_rate_lies_between_floor_and_one_and_never_rises_with_time(
    step: int, seconds: float, cap: float, fraction: float, iterations: int, floor: float
) -> None:
    cfg = config(warmdown_fraction=0.0 if iterations else fraction, warmdown_iterations=iterations, min_lr=floor)
    scales = [learning_rate_scale(cfg, Progress(step, 10_000, factor * seconds, cap)) for factor in (1, 1.5)]
    assert 1 >= scales[0] >= scales[1] >= floor


@pytest.mark.parametrize(("step", "expected"), [(0, 0.85), (250, 0.9), (500, 0.95), (9999, 0.95)])
def test_momentum_rises_over_its_warm_up(step: int, expected: float) -> None:
    assert muon_momentum(Config(), step) == pytest.approx(expected)


def test_momentum_without_a_warm_up() -> None:
    assert muon_momentum(replace(Config(), optimizer=Optimizer(muon_momentum_warmup_steps=0)), 0) == 0.95
