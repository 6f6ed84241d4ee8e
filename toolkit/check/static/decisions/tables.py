"""Tables of counts: filled with the whole stream before they are read for it, or from training shards in memory."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.check.static.decisions.decision import Decision, at
from toolkit.check.static.decisions.reported import reported_scores
from toolkit.check.static.labels.events import LOOKUP, REPORT, UPDATE, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import TRAIN, VAL, places


def tables(trace: Trace) -> Iterator[Decision]:
    """Tables that feed the reported loss and are filled too early, or from the wrong split."""
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
                message = "a table filled from training shards in this process feeds the reported loss"
                yield at("NO-TRAIN-DATA-AT-EVAL", FAIL, message, update)
            elif VAL in update.tags and not update.shares_a_loop(lookup):
                message = "a table filled by an earlier pass over the validation stream feeds the reported loss"
                yield at("C4-SINGLE-PASS", FAIL, message, update)
    for event in sinks:
        if TRAIN in event.tags:
            yield at("NO-TRAIN-DATA-AT-EVAL", WARN, "values read from training shards reach the reported loss", event)
