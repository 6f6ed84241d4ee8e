"""Decisions on an abstract run. One function a family; each yields (rule, status, event or place, message)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.check.static.events import (
    DEADLINE,
    FORWARD,
    LOAD,
    LOOKUP,
    NATIVE,
    NETWORK,
    REPORT,
    SCORE,
    SOLVE,
    STEP,
    UPDATE,
    Event,
    Trace,
)
from toolkit.check.static.findings import FAIL, WARN
from toolkit.check.static.flow import is_realised
from toolkit.check.static.native import Native
from toolkit.check.static.values import FILE, LEAF, LOSS, PREFIX, STORED, TRAIN, VAL, places

TRAIN_CAP_SECONDS = 600.0
RESERVE_SECONDS = 0.25  # a smaller reserve is none
_CALIBRATION = re.compile(r"hess|calib|collect_.*(stat|act)|gptq", re.IGNORECASE)
_EPOCH = re.compile(r"^_*(ep|epoch|ttt_ep|pass|pass_idx|epoch_idx|e)s?\d?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Decision:
    rule: str
    status: str
    message: str
    file: int
    line: int
    guards: tuple[str, ...] = ()


def decide(trace: Trace, natives: Mapping[str, Native]) -> list[Decision]:
    """All decisions, each rule and place once."""
    found: dict[tuple[str, int, int], Decision] = {}
    decisions = [d for family in (value_flow, adaptation, tables, calibration, network) for d in family(trace)]
    for decisions_of in (decisions, list(native(trace, natives))):
        for decision in decisions_of:
            key = (decision.rule, decision.file, decision.line)
            old = found.get(key)
            if old is None or (old.status == WARN and decision.status == FAIL):
                found[key] = decision
    return list(found.values())


def at(rule: str, status: str, message: str, event: Event) -> Decision:
    return Decision(rule, status, message, event.file, event.line, event.guards)


# What reaches the reported figure

_FLOWS = (
    (
        "pair",
        FAIL,
        "NGRAM-HASH",
        "a table looked up by one hash of the context and the realised token feeds the reported loss",
    ),
    (
        "pair",
        FAIL,
        "C2-NORMALIZED",
        "the score of the realised token comes from ratios of hashed counts, which no distribution normalises",
    ),
    ("gate", FAIL, "TARGET-GATE", "a mixing weight of the reported loss is computed from the realised token"),
    ("softgate", WARN, "TARGET-GATE", "a mixing weight is assigned in a branch chosen by the realised token"),
    ("bytemix", FAIL, "BYTE-SPREAD", "a token's loss is divided over its bytes and mixed with a byte model"),
    (
        "bytemix",
        FAIL,
        "C2-NORMALIZED",
        "neither tokens nor bytes get a normalised distribution once a spread loss is mixed",
    ),
    ("oracle", FAIL, "MIN-NLL-ORACLE", "the better of two losses of the realised token is kept"),
    ("maybe_oracle", WARN, "MIN-NLL-ORACLE", "the larger of two scores of the realised token is taken"),
    ("paid", FAIL, "PAID-PREFIX", "the loss is set to zero where stored tokens equal the realised ones"),
)


def reported_sums(trace: Trace) -> set[tuple[int, int]]:
    return {place for e in trace.of(REPORT) for kind in ("sum", "kept") for place in places(e.tags, kind)}


def reported_scores(trace: Trace) -> list[Event]:
    """Accumulations that a printed bits-per-byte figure is made of; all where printing could not be followed."""
    sums = reported_sums(trace)
    scores = trace.of(SCORE)
    return [e for e in scores if (e.file, e.line) in sums] if sums else scores


def collects(score: Event) -> bool:
    """Does it only add up what has been scored elsewhere?"""
    return any(place != (score.file, score.line) for kind in ("sum", "kept") for place in places(score.tags, kind))


def value_flow(trace: Trace) -> Iterator[Decision]:
    sinks = [*trace.of(REPORT), *reported_scores(trace)]
    conditional = any(places(e.tags, "conditional") for e in sinks)
    for event in sinks:
        for kind, status, rule, message in _FLOWS:
            if kind == "bytemix" and conditional:
                status, message = WARN, "bytes are mixed through conditional probabilities of the token (disputed)"
            for file, line in places(event.tags, kind):
                yield Decision(rule, status, message, file, line, trace.guards.get((file, line), event.guards))


# Training against scoring


def shared_loop(a: Event, b: Event) -> int:
    """Number of enclosing loops that both are in, in the same iteration."""
    count = 0
    for one, other in zip(a.loops, b.loops, strict=False):
        if one != other:
            break
        count += 1
    return count


def same_loop(a: Event, b: Event) -> bool:
    return bool({n for n, _ in a.loops} & {n for n, _ in b.loops})


def cuts(tags: frozenset[str]) -> set[str]:
    return {t for t in tags if t.startswith("cut:")}


def models(tags: frozenset[str]) -> set[str]:
    return {t for t in tags if t.startswith("model:")}


def inheriting(trace: Trace, own: set[str], since: int) -> set[str]:
    """These models and those that later load a state of theirs."""
    found = set(own)
    for load in trace.of(LOAD):
        if load.order > since and {t.partition(":")[2] for t in load.tags} & {m.partition(":")[2] for m in found}:
            found |= models(load.params)
    return found


def adaptation(trace: Trace) -> Iterator[Decision]:
    """Order of optimiser steps and scores on the same tokens: C3, SLOT, training on validation, rescoring."""
    reported = reported_scores(trace)
    scores = [e for e in reported if not collects(e)] or reported
    steps = trace.of(STEP)
    on_train = [s for s in steps if TRAIN in s.tags and VAL not in s.tags]
    trained = {m for s in on_train for m in models(s.params) or models(s.tags)}
    own = [s for s in steps if VAL in s.tags and is_realised(s.tags)]
    clocks = [d for d in trace.of(DEADLINE) if 60 <= _seconds(d.number) <= 100 * TRAIN_CAP_SECONDS]
    # Without a step on training data the loop under the clock is the training loop, unless it scores what it trains.
    scored_in = {s.functions for s in scores}
    in_training = any(
        shared_loop(s, d) == len(d.loops) > 0 and s.functions not in scored_in for s in own for d in clocks
    )
    for step in own:
        if (TRAIN in step.tags and step.functions not in scored_in) or (not on_train and in_training):
            yield at("NO-VAL-IN-TRAINING", FAIL, "the training loop takes optimiser steps on validation tokens", step)
            continue
        yield from _step_against_scores(trace, step, scores, trained)
    for solve in trace.of(SOLVE):
        if any(shared_loop(solve, s) and s.order > solve.order and cuts(s.tags) & cuts(solve.tags) for s in scores):
            yield at("SLOT", WARN, "a closed-form fit to targets precedes their score", solve)


def _step_against_scores(trace: Trace, step: Event, scores: list[Event], trained: set[str]) -> Iterator[Decision]:
    together = [s for s in scores if shared_loop(step, s)]
    first = [s for s in together if s.order < step.order]
    after = [s for s in together if s.order > step.order]
    if first:
        counters = {trace.loop_names.get(n, "") for s in first for n, _ in step.loops[: shared_loop(step, s)]}
        yield from _rescored(trace, step, scores)
        if any(_EPOCH.match(c) for c in counters):
            yield at(
                "C3-SCORE-FIRST",
                FAIL,
                "the score is taken inside a loop over epochs that train on the same tokens",
                step,
            )
        return
    if after:
        same = any(cuts(s.tags) & cuts(step.tags) for s in after)
        leaf = LEAF in step.tags or LEAF in step.params
        epochs = {trace.loop_names.get(n, "") for s in after for n, _ in step.loops[: shared_loop(step, s)]}
        if not same and all(_EPOCH.match(name) for name in epochs):
            yield from _stream_trained_first(trace, step, after, trained)
        elif not same:
            yield at(
                "C3-SCORE-FIRST",
                WARN,
                "optimiser steps on validation tokens precede a score in the same loop; the tokens may differ",
                step,
            )
        elif PREFIX in step.tags:
            yield at(
                "SLOT",
                WARN,
                "a variable is fitted to earlier positions of the window that is scored next (context only: disputed)",
                step,
            )
        else:
            what = "a fresh variable is fitted to the targets" if leaf else "the model is trained on the targets"
            yield at("SLOT", FAIL, f"{what} that are scored next", step)
            yield at("C3-SCORE-FIRST", FAIL, f"{what} before their score is taken", step)
            yield at(
                "C1-CAUSAL", FAIL, "the score of a token depends on itself and on later tokens through the fit", step
            )
        return
    yield from _stream_trained_first(trace, step, [s for s in scores if s.order > step.order], trained)


def _stream_trained_first(trace: Trace, step: Event, later: list[Event], trained: set[str]) -> Iterator[Decision]:
    """Steps over the stream that are done before any of it is scored."""
    own = models(step.params) or models(step.tags)
    if not later:
        return
    heirs = inheriting(trace, own, step.order)
    if own & trained or any(heirs & models(s.tags) for s in later):
        yield at("PREQUANT-TTT", FAIL, "the model is trained on the validation stream before the reported score", step)
        yield at(
            "C3-SCORE-FIRST", FAIL, "optimiser steps on validation tokens come before those tokens are scored", step
        )
    else:
        message = "parameters that are not scored take steps on validation tokens first (compile warm-up: disputed)"
        yield at("C3-SCORE-FIRST", WARN, message, step)


def _rescored(trace: Trace, step: Event, scores: list[Event]) -> Iterator[Decision]:
    """A later evaluation of a model that score-first training has already adapted to the same stream."""
    reports = trace.of(REPORT)
    if not reports:
        return
    headline = set(places(reports[-1].tags, "sum")) | set(places(reports[-1].tags, "kept"))
    own = models(step.params)
    for score in scores:
        later = score.order > step.order and not same_loop(score, step) and own & models(score.tags)
        loaded = any(step.order < e.order < score.order and e.params & own for e in trace.of(LOAD))
        if later and not loaded and (score.file, score.line) in headline:
            yield at(
                "C4-SINGLE-PASS",
                WARN,
                "the last reported figure scores the stream again with a model already trained on it",
                score,
            )
            return


# Tables of counts


def tables(trace: Trace) -> Iterator[Decision]:
    """Tables filled with the whole stream before they are read for it, or from training shards in memory."""
    sinks = [*trace.of(REPORT), *reported_scores(trace)]
    used = {place for e in sinks for place in places(e.tags, "count")}
    updates = trace.of(UPDATE)
    for lookup in trace.of(LOOKUP):
        if (lookup.file, lookup.line) not in used:
            continue
        for update in updates:
            if not update.params & lookup.params or update.order > lookup.order:
                continue
            if TRAIN in update.tags:
                yield at(
                    "NO-TRAIN-DATA-AT-EVAL",
                    FAIL,
                    "a table filled from training shards in this process feeds the reported loss",
                    update,
                )
            elif VAL in update.tags and not same_loop(update, lookup):
                yield at(
                    "C4-SINGLE-PASS",
                    FAIL,
                    "a table filled by an earlier pass over the validation stream feeds the reported loss",
                    update,
                )
    for event in sinks:
        if TRAIN in event.tags:
            yield at("NO-TRAIN-DATA-AT-EVAL", WARN, "values read from training shards reach the reported loss", event)


# Calibration and the training clock


def calibration(trace: Trace) -> Iterator[Decision]:
    hooked = {e.functions[-1] for e in trace.of(FORWARD) if e.detail == "hook"}
    deadlines = trace.of(DEADLINE)
    seconds = [_seconds(e.number) for e in deadlines]
    training = [e for e, s in zip(deadlines, seconds, strict=True) if 60 <= s <= TRAIN_CAP_SECONDS + 1]
    for event in trace.of(FORWARD):
        callers = event.functions[-3:-1]
        named = any(_CALIBRATION.search(f) for f in callers)
        if event.detail == "hook" or not (
            named or (event.functions[-2:-1] and event.functions[-2] in hooked - {"main"})
        ):
            continue
        if VAL in event.tags and not named:
            yield at("VAL-CALIBRATION", WARN, "activations of validation tokens are collected by hooks", event)
        elif VAL in event.tags:
            yield at("VAL-CALIBRATION", FAIL, "quantiser statistics are collected from validation tokens", event)
        elif TRAIN in event.tags and training and event.order > training[-1].order:
            cap = min(_seconds(e.number) for e in training)
            if cap > TRAIN_CAP_SECONDS - RESERVE_SECONDS:
                place = at(
                    "GPTQ-CALIBRATION-BUDGET",
                    FAIL,
                    "training data are read for calibration after the training clock, with no reserve",
                    event,
                )
                yield place
                yield at("NO-TRAIN-DATA-AT-EVAL", FAIL, "training data are read after the 600 s training budget", event)


def _seconds(number: float) -> float:
    return number / 1000 if number > 3000 else number


def native(trace: Trace, natives: Mapping[str, Native]) -> Iterator[Decision]:
    """What C code does with tokens and losses that reach it. It is read line by line only: a gate is a warning."""
    for event in trace.of(NATIVE):
        code = natives[event.detail]
        spread_line = code.spread_line(event.params) if code.mixes and event.tags & {LOSS, VAL, FILE} else 0
        if spread_line:
            status = FAIL if event.tags & {LOSS, STORED} else WARN
            what = f"C function {event.detail} divides a token's loss over its bytes and mixes it with a byte model"
            yield Decision("BYTE-SPREAD", status, what, code.file, spread_line, event.guards)
            what = "neither tokens nor bytes get a normalised distribution once a spread loss is mixed"
            yield Decision("C2-NORMALIZED", status, what, code.file, spread_line, event.guards)
        if code.gate_line and VAL in event.tags:
            yield Decision(
                "TARGET-GATE",
                WARN,
                f"C function {event.detail} fills a hint or flag in a branch chosen by the realised token",
                code.file,
                code.gate_line,
                event.guards,
            )
        if code.gate_line and VAL in event.tags:
            yield Decision(
                "C1-CAUSAL",
                WARN,
                "whether a hint exists tells about the realised token",
                code.file,
                code.gate_line,
                event.guards,
            )


def network(trace: Trace) -> Iterator[Decision]:
    for event in trace.of(NETWORK):
        yield at("NO-NETWORK", WARN, f"a download or installer runs: {event.detail[:80]}", event)
