"""Is every target charged once, and before anything learns from it?

Seen are what `trace` sees: logits that meet their targets, and the steps of optimizers. A mixer's counters are outside
of that; for these the evaluation is held against its own form of one token at a time (`step.py`), which is told what
came only after it has named the probabilities of all that could: equal charges mean an order that a decoder can follow.
"""

import contextlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from toolkit.check.rulebook.finding import Finding
from toolkit.probe.evaluation import Evaluation, nats_by_stage
from toolkit.probe.scene import Scene
from toolkit.probe.steps.step import Predictor, score_by_steps
from toolkit.probe.trace import Scoring, StageTrace, Update, trace

_SAME_NATS = 1e-6  # absolute, of a float32 loss taken twice
STEP_TOLERANCE = 1e-4  # relative, between the totals of the two forms


@dataclass(frozen=True)
class StageOrder:
    """What one stage did. Tokens and targets are places in the stream, each list in the order of the stream."""

    stage: str
    used_early: tuple[int, ...]  # tokens that an optimizer used before they were charged
    charged_again: tuple[int, ...]  # targets charged more than once
    unseen: tuple[int, ...]  # targets whose reported nats are of no logits that were seen
    updates: int  # steps of optimizers


def stage_orders(evaluate: Evaluation, tokens: Tensor) -> list[StageOrder]:
    """The order of events in every stage, on a stream for `trace`."""
    return [_order(stage) for stage in trace(evaluate, tokens)]


def _order(stage: StageTrace) -> StageOrder:
    scorings: dict[int, list[int]] = {target: [] for target in range(len(stage.nats))}  # events, by target
    charges: dict[int, int] = {}  # the first event whose nats are those reported
    early: set[int] = set()
    for number, event in enumerate(stage.events):
        match event:
            case Scoring():
                for target, nats in zip(event.targets, event.nats, strict=True):
                    if not event.for_gradient:
                        scorings[target].append(number)
                    if abs(nats - stage.nats[target]) <= _SAME_NATS:
                        charges.setdefault(target, number)
            case Update():
                early |= {t for t in event.tokens if t and not scorings[t - 1] and t - 1 not in charges}
    return StageOrder(
        stage.stage,
        tuple(sorted(early)),
        tuple(target for target, events in scorings.items() if len(events) > 1),
        tuple(target for target in scorings if target not in charges),
        len(stage.updates),
    )


def step_difference(predictor: Predictor, tokens: Tensor, nats: np.ndarray) -> float:
    """Relative difference between the totals that a predictor and an evaluation charge for a stream."""
    total: float = nats.sum()
    return abs(float(score_by_steps(predictor, tokens[1:].tolist()).sum()) - total) / total


def probe(scene: Scene) -> list[Finding]:
    """C3-SCORE-FIRST and C4-SINGLE-PASS for every stage."""
    orders = stage_orders(scene.evaluate, scene.unique[0])
    nats = nats_by_stage(scene.evaluate, scene.text)
    findings = []
    for done, order in enumerate(orders):
        difference = None
        with contextlib.suppress(LookupError):
            difference = step_difference(scene.predictor(order.stage), scene.text, nats[order.stage])
        findings += [_score_first(scene, order, difference), _single_pass(scene, order, difference)]
        scene.show((done + 1) / len(orders))
    return findings


def _score_first(scene: Scene, order: StageOrder, difference: float | None) -> Finding:
    early = order.used_early
    if early:
        outcome, found = "FAIL", f"{len(early)} tokens used before they were charged, such as {_first(early)}"
    elif difference is not None and difference > STEP_TOLERANCE:
        outcome, found = "FAIL", f"another total one token at a time, relative difference {difference:.1e}"
    elif order.unseen and difference is None:
        outcome, found = "UNKNOWN", _unseen(order)
    else:
        steps = f"{order.updates} steps of optimizers, all on charged tokens" if order.updates else "no optimizer"
        outcome, found = "PASS", f"{steps}; {_by_steps(difference)}"
    expected = "every token charged before an optimizer, cache or counter uses it"
    return scene.finding("order", "C3-SCORE-FIRST", outcome, expected, found, order.stage, _by_steps(difference))


def _single_pass(scene: Scene, order: StageOrder, difference: float | None) -> Finding:
    again = order.charged_again
    if again:
        outcome, found = "FAIL", f"{len(again)} targets charged again, such as {_first(again)}"
    elif order.unseen and (difference is None or difference > STEP_TOLERANCE):
        outcome, found = "UNKNOWN", _unseen(order)
    else:
        outcome, found = "PASS", "each of them was"
    expected = "every target charged once"
    return scene.finding("order", "C4-SINGLE-PASS", outcome, expected, found, order.stage, _by_steps(difference))


def _by_steps(difference: float | None) -> str:
    if difference is None:
        return "no form of one token at a time to compare with"
    return f"one token at a time the total is the same up to {difference:.1e}"


def _unseen(order: StageOrder) -> str:
    return f"{len(order.unseen)} targets whose charge was not seen, such as {_first(order.unseen)}"


def _first(places: tuple[int, ...]) -> str:
    return ", ".join(map(str, places[:3]))
