"""Sums over the vocabulary of evaluations that are small enough to do in the head."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.probe.evaluation import Report
from toolkit.probe.normalized import KraftSum, excess_bits_per_byte, kraft_sums

VOCAB_SIZE = 4
STREAM = torch.tensor([0, 1, 2, 1, 1, 3, 1, 2])


def counting(tokens: Tensor, report: Report) -> None:
    """Laplace's rule: a distribution that learns."""
    counts, nats = np.ones(VOCAB_SIZE), []
    for token in tokens[1:].tolist():
        nats.append(-math.log(counts[token] / counts.sum()))
        counts[token] += 1
    report("counting", np.array(nats))


def better_of_two(tokens: Tensor, report: Report) -> None:
    """The counts or 1/4, whichever is more."""
    counting(tokens, lambda stage, nats: report(stage, nats.clip(max=math.log(VOCAB_SIZE))))


def told_the_last(tokens: Tensor, report: Report) -> None:
    """Uniform, and nothing for the first target if it is the stream's last token as well."""
    nats = np.full(len(tokens) - 1, math.log(VOCAB_SIZE))
    nats[0] *= int(tokens[1] != tokens[-1])
    report("told", nats)


def test_a_distribution_sums_to_one_everywhere() -> None:
    sums = kraft_sums(counting, STREAM, range(7), VOCAB_SIZE)
    assert [one.target for one in sums] == list(range(7))
    assert max(one.excess for one in sums) < 1e-12
    assert {one.moved for one in sums} == {0.0}


def test_the_better_of_two_sums_to_more() -> None:
    """After 1, 2, 1, 1 the counts are 1, 4, 2, 1 of 8: the two that are below 1/4 are lifted to it."""
    (one,) = kraft_sums(better_of_two, STREAM, [4], VOCAB_SIZE)
    assert one.z == pytest.approx(4 / 8 + 3 * 2 / 8)
    assert one.moved == 0


def test_a_charge_that_knows_a_later_token_moves() -> None:
    (one,) = kraft_sums(told_the_last, STREAM, [6], VOCAB_SIZE)
    assert one.moved == pytest.approx(math.log(VOCAB_SIZE))
    assert one.excess < 1e-12


def test_every_variant_is_announced() -> None:
    calls = []
    kraft_sums(counting, STREAM, [1, 3], VOCAB_SIZE, lambda: calls.append(1))
    assert len(calls) == 2 * VOCAB_SIZE


def test_excess_is_what_normalising_would_cost() -> None:
    """Sums of 2 and 8 cost 1 and 3 bits; targets have two bytes on the mean."""
    sums = [KraftSum("s", 0, 2.0, 0.0), KraftSum("s", 1, 8.0, 0.0)]
    assert excess_bits_per_byte(sums, np.array([1, 2, 3])) == pytest.approx(1.0)
    assert excess_bits_per_byte([KraftSum("s", 0, 0.0, 0.0)], np.array([1])) == -math.inf
