"""Which scores the printed figure is made of."""

from __future__ import annotations

from toolkit.check.static.labels.events import REPORT, SCORE, Event, Trace
from toolkit.check.static.labels.values import places


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
