"""Order of optimiser steps and scores on the same tokens: C3, SLOT, training on validation, rescoring."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.check.rulebook.limits import train_limit_seconds
from toolkit.check.static.decisions.decision import Decision, at
from toolkit.check.static.decisions.reported import collects, reported_scores
from toolkit.check.static.labels.events import DEADLINE, LOAD, REPORT, SOLVE, STEP, Event, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.flow import is_realised
from toolkit.check.static.labels.values import LEAF, PREFIX, TRAIN, VAL, places

_EPOCH = re.compile(r"^_*(ep|epoch|ttt_ep|pass|pass_idx|epoch_idx|e)s?\d?$", re.IGNORECASE)


def _cuts(tags: frozenset[str]) -> set[str]:
    return {t for t in tags if t.startswith("cut:")}


def _models(tags: frozenset[str]) -> set[str]:
    return {t for t in tags if t.startswith("model:")}


def _inheriting(trace: Trace, own: set[str], since: int) -> set[str]:
    """These models and those that later load a state of theirs."""
    found = set(own)
    for load in trace.of(LOAD):
        if load.order > since and {t.partition(":")[2] for t in load.tags} & {m.partition(":")[2] for m in found}:
            found |= _models(load.params)
    return found


def adaptation(trace: Trace) -> Iterator[Decision]:
    """Order of optimiser steps and scores on the same tokens: C3, SLOT, training on validation, rescoring."""
    reported = reported_scores(trace)
    scores = [e for e in reported if not collects(e)] or reported
    steps = trace.of(STEP)
    on_train = [s for s in steps if TRAIN in s.tags and VAL not in s.tags]
    trained = {m for s in on_train for m in _models(s.params) or _models(s.tags)}
    own = [s for s in steps if VAL in s.tags and is_realised(s.tags)]
    clocks = [d for d in trace.of(DEADLINE) if 60 <= d.seconds <= 100 * train_limit_seconds()]
    # Without a step on training data the loop under the clock is the training loop, unless it scores what it trains.
    scored_in = {s.functions for s in scores}
    in_training = any(
        s.shared_loops(d) == len(d.loops) > 0 and s.functions not in scored_in for s in own for d in clocks
    )
    for step in own:
        if (TRAIN in step.tags and step.functions not in scored_in) or (not on_train and in_training):
            yield at("NO-VAL-IN-TRAINING", FAIL, "the training loop takes optimiser steps on validation tokens", step)
            continue
        yield from _step_against_scores(trace, step, scores, trained)
    for solve in trace.of(SOLVE):
        if any(solve.shared_loops(s) and s.order > solve.order and _cuts(s.tags) & _cuts(solve.tags) for s in scores):
            yield at("SLOT", WARN, "a closed-form fit to targets precedes their score", solve)


def _step_against_scores(trace: Trace, step: Event, scores: list[Event], trained: set[str]) -> Iterator[Decision]:
    together = [s for s in scores if step.shared_loops(s)]
    first = [s for s in together if s.order < step.order]
    after = [s for s in together if s.order > step.order]
    if first:
        counters = {trace.loop_names.get(n, "") for s in first for n, _ in step.loops[: step.shared_loops(s)]}
        yield from _rescored(trace, step, scores)
        if any(_EPOCH.match(c) for c in counters):
            message = "the score is taken inside a loop over epochs that train on the same tokens"
            yield at("C3-SCORE-FIRST", FAIL, message, step)
        return
    if after:
        same = any(_cuts(s.tags) & _cuts(step.tags) for s in after)
        leaf = LEAF in step.tags or LEAF in step.params
        epochs = {trace.loop_names.get(n, "") for s in after for n, _ in step.loops[: step.shared_loops(s)]}
        if not same and all(_EPOCH.match(name) for name in epochs):
            yield from _stream_trained_first(trace, step, after, trained)
        elif not same:
            message = "optimiser steps on validation tokens precede a score in the same loop; the tokens may differ"
            yield at("C3-SCORE-FIRST", WARN, message, step)
        elif PREFIX in step.tags:
            what = "a variable is fitted to earlier positions of the window that is scored next"
            yield at("SLOT", WARN, f"{what} (context only: disputed)", step)
        else:
            what = "a fresh variable is fitted to the targets" if leaf else "the model is trained on the targets"
            yield at("SLOT", FAIL, f"{what} that are scored next", step)
            yield at("C3-SCORE-FIRST", FAIL, f"{what} before their score is taken", step)
            message = "the score of a token depends on itself and on later tokens through the fit"
            yield at("C1-CAUSAL", FAIL, message, step)
        return
    yield from _stream_trained_first(trace, step, [s for s in scores if s.order > step.order], trained)


def _stream_trained_first(trace: Trace, step: Event, later: list[Event], trained: set[str]) -> Iterator[Decision]:
    """Steps over the stream that are done before any of it is scored."""
    own = _models(step.params) or _models(step.tags)
    if not later:
        return
    heirs = _inheriting(trace, own, step.order)
    if own & trained or any(heirs & _models(s.tags) for s in later):
        yield at("PREQUANT-TTT", FAIL, "the model is trained on the validation stream before the reported score", step)
        message = "optimiser steps on validation tokens come before those tokens are scored"
        yield at("C3-SCORE-FIRST", FAIL, message, step)
    else:
        message = "parameters that are not scored take steps on validation tokens first (compile warm-up: disputed)"
        yield at("C3-SCORE-FIRST", WARN, message, step)


def _rescored(trace: Trace, step: Event, scores: list[Event]) -> Iterator[Decision]:
    """A later evaluation of a model that score-first training has already adapted to the same stream."""
    reports = trace.of(REPORT)
    if not reports:
        return
    headline = set(places(reports[-1].tags, "sum")) | set(places(reports[-1].tags, "kept"))
    own = _models(step.params)
    for score in scores:
        later = score.order > step.order and not score.shares_a_loop(step) and own & _models(score.tags)
        loaded = any(step.order < e.order < score.order and e.params & own for e in trace.of(LOAD))
        if later and not loaded and (score.file, score.line) in headline:
            message = "the last reported figure scores the stream again with a model already trained on it"
            yield at("C4-SINGLE-PASS", WARN, message, score)
            return
