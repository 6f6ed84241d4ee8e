"""Calibration of the quantiser: on which tokens, and inside or after the training clock."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.check.rulebook.limits import train_limit_seconds
from toolkit.check.static.decisions.decision import Decision, at
from toolkit.check.static.labels.events import DEADLINE, FORWARD, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import TRAIN, VAL

RESERVE_SECONDS = 0.25  # a smaller reserve is none
_CALIBRATION = re.compile(r"hess|calib|collect_.*(stat|act)|gptq", re.IGNORECASE)


def calibration(trace: Trace) -> Iterator[Decision]:
    hooked = {e.functions[-1] for e in trace.of(FORWARD) if e.detail == "hook"}
    limit = train_limit_seconds()
    training = [e for e in trace.of(DEADLINE) if 60 <= e.seconds <= limit + 1]
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
            cap = min(e.seconds for e in training)
            if cap > limit - RESERVE_SECONDS:
                message = "training data are read for calibration after the training clock, with no reserve"
                yield at("GPTQ-CALIBRATION-BUDGET", FAIL, message, event)
                message = f"training data are read after the {limit:g} s training budget"
                yield at("NO-TRAIN-DATA-AT-EVAL", FAIL, message, event)
