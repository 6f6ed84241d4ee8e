"""Does a charge depend on what comes after it? The stream is changed from some token on, and scored again.

Compared bit for bit with the first evaluation, on the CPU: the nats of all targets before the change; the whole logit
vectors of these and of the first changed token, which must not know it either; and the weights after every optimizer
step that used unchanged tokens alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from toolkit.check.rulebook.finding import Finding
from toolkit.probe.evaluation import Evaluation, nats_by_stage, replaced
from toolkit.probe.scene import Scene
from toolkit.probe.trace import Scoring, StageTrace, Update, trace

POSITIONS = 12


@dataclass(frozen=True)
class Movement:
    """Something before the first changed target was not the same again."""

    stage: str
    what: str  # nats, logits, weights or events
    changed: int  # the first changed target
    moved: int  # the first target that moved
    difference: float  # largest, in nats or logits


def changed_streams(tokens: Tensor, target: int, spare: Tensor) -> list[Tensor]:
    """The stream with the target alone exchanged, and with all from there on exchanged for spare tokens int64[>= N]."""
    token = next(token for token in spare.tolist() if token != tokens[target + 1])
    return [
        replaced(tokens, target + 1, token),
        torch.cat((tokens[: target + 1], spare[: len(tokens) - target - 1])),
    ]


def moved_nats(evaluate: Evaluation, tokens: Tensor, targets: Sequence[int], spare: Tensor) -> list[Movement]:
    """Nats before each of the targets that change with it or with what follows it, on any stream int64[N]."""
    base = nats_by_stage(evaluate, tokens)
    found = []
    for target in targets:
        for stream in changed_streams(tokens, target, spare):
            for stage, nats in nats_by_stage(evaluate, stream).items():
                changes = np.abs(nats - base[stage])[:target]
                if changes.any():
                    found.append(Movement(stage, "nats", target, int(changes.argmax()), float(changes.max())))
    return found


def moved_states(evaluate: Evaluation, tokens: Tensor, targets: Sequence[int], spare: Tensor) -> list[Movement]:
    """The same for nats, logits and weights, on a stream for `trace`; `spare` has no token of it."""
    base = trace(evaluate, tokens)
    found = []
    for target in targets:
        for stream in changed_streams(tokens, target, spare):
            for before, after in zip(base, trace(evaluate, stream), strict=True):
                found += _compare(before, after, target)
    return found


def _compare(before: StageTrace, after: StageTrace, target: int) -> list[Movement]:
    found = []
    changes = np.abs(after.nats - before.nats)[:target]
    if changes.any():
        found.append(Movement(before.stage, "nats", target, int(changes.argmax()), float(changes.max())))
    used = 0  # the last token that an optimizer has used
    for one, other in zip_longest(before.events, after.events):
        match one, other:
            case Scoring(), Scoring() if one.targets == other.targets:
                rows = [i for i, place in enumerate(one.targets) if place <= target]
                change = (one.logits[rows] - other.logits[rows]).abs()
                if not one.for_gradient and change.any():
                    moved = one.targets[rows[int(change.amax(1).argmax())]]
                    found.append(Movement(before.stage, "logits", target, moved, float(change.max())))
            case Update(), Update():
                used = max(used, *one.tokens, 0)
                if used <= target and one.weights != other.weights:
                    found.append(Movement(before.stage, "weights", target, used, float("nan")))
            case _:
                found.append(Movement(before.stage, "events", target, 0, float("nan")))
                break
    return found


def probe(scene: Scene) -> list[Finding]:
    """C1-CAUSAL for every stage, on text and on a stream of unique tokens."""
    unique, spare = scene.unique
    positions = scene.positions or POSITIONS
    moved = []
    for done, target in enumerate(scene.targets(positions)):
        moved += moved_nats(scene.evaluate, scene.text, [target], spare)
        moved += moved_states(scene.evaluate, unique, [target], spare)
        scene.show((done + 1) / positions)
    return [_causal(scene, stage, [one for one in moved if one.stage == stage], positions) for stage in scene.stages]


def _causal(scene: Scene, stage: str, moved: list[Movement], positions: int) -> Finding:
    expected = "nats, logits and adapted weights before a change of the stream, the same bits again"
    if not moved:
        found = f"the same bits at {positions} of {scene.length - 1} targets, alone and with all that follow"
        return scene.finding("causal", "C1-CAUSAL", "PASS", expected, found, stage)
    worst = max(moved, key=lambda one: (one.what == "nats", one.difference))
    found = f"a change at target {worst.changed} moves the {worst.what} of target {worst.moved}"
    if worst.what in ("nats", "logits"):
        found += f" by {worst.difference:.4f}"
    detail = f"{len(moved)} differences in {', '.join(sorted({one.what for one in moved}))}"
    return scene.finding("causal", "C1-CAUSAL", "FAIL", expected, found, stage, detail)
