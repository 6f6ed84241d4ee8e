"""Labels that reach the reported figure: hashed pairs, gates, spread losses, oracles, paid prefixes."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.check.static.decisions.decision import Decision
from toolkit.check.static.decisions.reported import reported_scores
from toolkit.check.static.labels.events import REPORT, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import places

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


def value_flow(trace: Trace) -> Iterator[Decision]:
    yield from _reached(trace)
    for score in reported_scores(trace):
        for file, line in places(score.tags, "best"):
            what = "the best of several losses of the same tokens is added to the reported sum"
            yield Decision("MIN-NLL-ORACLE", FAIL, what, file, line, trace.guards.get((file, line), score.guards))


def _reached(trace: Trace) -> Iterator[Decision]:
    """Labels that reach a reported figure."""
    sinks = [*trace.of(REPORT), *reported_scores(trace)]
    conditional = any(places(e.tags, "conditional") for e in sinks)
    for event in sinks:
        for kind, status, rule, message in _FLOWS:
            if kind == "bytemix" and conditional:
                status, message = WARN, "bytes are mixed through conditional probabilities of the token (disputed)"
            for file, line in places(event.tags, kind):
                yield Decision(rule, status, message, file, line, trace.guards.get((file, line), event.guards))
