"""What is seen of the order of events, and what moves when the stream is changed, on small evaluations in torch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.probe.causal import moved_nats, moved_states
from toolkit.probe.evaluation import Evaluation, Report
from toolkit.probe.order import StageOrder, stage_orders

VOCAB_SIZE = 40
BLOCK = 4


class Table(nn.Module):
    """Bigram logits, and a bias that all targets share."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(VOCAB_SIZE, VOCAB_SIZE)
        self.bias = nn.Parameter(torch.zeros(VOCAB_SIZE))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.rows(tokens) + self.bias


def toy(run: Callable[[Table, Tensor], Tensor]) -> Evaluation:
    """An evaluation of one stage; `run` is given a fresh table and the stream, and returns the nats."""

    def evaluate(tokens: Tensor, report: Report) -> None:
        torch.manual_seed(0)
        report("toy", run(Table(), tokens).double().numpy())

    return evaluate


def score(table: Table, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        return F.cross_entropy(table(tokens[:-1]), tokens[1:], reduction="none")


def adapt(table: Table, tokens: Tensor) -> None:
    optimizer = torch.optim.SGD(table.parameters(), 1.0)
    F.cross_entropy(table(tokens[:-1]), tokens[1:]).backward()
    optimizer.step()


def blocks(tokens: Tensor) -> list[Tensor]:
    return [tokens[start : start + BLOCK + 1] for start in range(0, len(tokens) - 1, BLOCK)]


@toy
def plain(table: Table, tokens: Tensor) -> Tensor:
    return score(table, tokens)


@toy
def score_first(table: Table, tokens: Tensor) -> Tensor:
    nats = []
    for block in blocks(tokens):
        nats.append(score(table, block))
        adapt(table, block)
        adapt(table, block)
    return torch.cat(nats)


@toy
def warmed_up(table: Table, tokens: Tensor) -> Tensor:
    """A step on tokens that happen to be in the stream as well."""
    adapt(table, STREAM[torch.randint(len(STREAM), (50,))])
    return score(table, tokens)


@toy
def adapt_first(table: Table, tokens: Tensor) -> Tensor:
    nats = []
    for block in blocks(tokens):
        adapt(table, block)
        nats.append(score(table, block))
    return torch.cat(nats)


@toy
def two_passes(table: Table, tokens: Tensor) -> Tensor:
    first = score(table, tokens)
    adapt(table, tokens)
    return torch.minimum(first, score(table, tokens))


@toy
def while_training(table: Table, tokens: Tensor) -> Tensor:
    """The losses of the steps are the score: one forward for both."""
    nats = []
    for block in blocks(tokens):
        optimizer = torch.optim.SGD(table.parameters(), 1.0)
        losses = F.cross_entropy(table(block[:-1]), block[1:], reduction="none")
        nats.append(losses.detach())
        losses.mean().backward()
        optimizer.step()
    return torch.cat(nats)


@toy
def uncharged(table: Table, tokens: Tensor) -> Tensor:
    """Scored by other means than a loss of torch."""
    with torch.no_grad():
        return -table(tokens[:-1]).log_softmax(-1).gather(-1, tokens[1:, None])[:, 0]


@toy
def peeking(table: Table, tokens: Tensor) -> Tensor:
    """The logits of a target lean to the token after it."""
    with torch.no_grad():
        logits = table(tokens[:-1])
        logits[:-1] += F.one_hot(tokens[2:], VOCAB_SIZE)
        return F.cross_entropy(logits, tokens[1:], reduction="none")


@toy
def hidden_use(table: Table, tokens: Tensor) -> Tensor:
    """A gradient that hangs on the last token, past what is watched; the scores do not show it."""
    nats = score(table, tokens)
    optimizer = torch.optim.SGD(table.parameters(), 1.0)
    (F.cross_entropy(table(tokens[:1]), tokens[1:2]) + table.bias[tokens[-1]]).backward()
    optimizer.step()
    return nats


@toy
def seeing_the_target(table: Table, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        return F.cross_entropy(table(tokens[:-1]) + F.one_hot(tokens[1:], VOCAB_SIZE), tokens[1:], reduction="none")


ORDER = torch.from_numpy(np.random.default_rng(1).permutation(np.arange(1, VOCAB_SIZE)))
STREAM, SPARE = ORDER[:13], ORDER[13:]
TARGETS = [0, 2, 5, 11]


def order_of(evaluate: Evaluation) -> StageOrder:
    (order,) = stage_orders(evaluate, STREAM)
    return order


def moved(evaluate: Evaluation, stream: Tensor = STREAM) -> set[str]:
    return {one.what for one in moved_states(evaluate, stream, TARGETS, SPARE)}


@pytest.mark.parametrize(("evaluate", "updates"), [(plain, 0), (score_first, 6), (while_training, 3), (warmed_up, 1)])
def test_a_legal_order(evaluate: Evaluation, updates: int) -> None:
    assert order_of(evaluate) == StageOrder("toy", (), (), (), updates)
    assert not moved(evaluate)
    assert not moved_nats(evaluate, STREAM, TARGETS, SPARE)


def test_adaptation_before_scoring() -> None:
    order = order_of(adapt_first)
    assert order.used_early == tuple(range(1, 13))  # all but the first token, which is context alone
    assert not order.charged_again
    assert moved(adapt_first) == {"nats", "logits"}


def test_a_second_pass() -> None:
    order = order_of(two_passes)
    assert not order.used_early
    assert order.charged_again == tuple(range(12))
    assert "nats" in moved(two_passes)


def test_what_is_not_seen_is_named() -> None:
    assert order_of(uncharged) == StageOrder("toy", (), (), tuple(range(12)), 0)


def test_a_look_ahead() -> None:
    (first, *_) = moved_nats(peeking, STREAM, [5], SPARE)
    assert (first.stage, first.what, first.changed, first.moved) == ("toy", "nats", 5, 4)
    assert first.difference > 0


def test_a_look_at_the_target_moves_its_logits_alone() -> None:
    """No earlier nats tell of it, and the sum over the vocabulary would."""
    assert not moved_nats(seeing_the_target, STREAM, TARGETS, SPARE)
    assert moved(seeing_the_target) == {"logits"}


def test_weights_that_know_more_than_their_tokens() -> None:
    assert moved(hidden_use) == {"weights"}
