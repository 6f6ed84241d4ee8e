"""How long an evaluation took: what counts for the limit, and the wider sum with what does not.

Counted is the total that the log prints, else the time of the pass that gave the score with the phases before it that
this pass rests on: adaptation, tables, hints. What the log says it timed outside of its total is added to that total.
Compilation and the passes that only diagnose stand in the wider sum alone.
"""

from dataclasses import dataclass

from toolkit.run.runlog import Phase, RunLog

_SAME_PASS_SECONDS = 1.0


@dataclass(frozen=True)
class EvaluationTime:
    """Seconds that count, seconds with all else that was timed, what was added up, and the line of the largest part."""

    seconds: float
    wide_seconds: float
    parts: tuple[str, ...]
    line: int
    text: str


def evaluation_time(log: RunLog) -> EvaluationTime | None:
    """None for a log without any time of its evaluation."""
    whole, own = log.source("eval_seconds"), log.headline_seconds or 0.0
    if whole is None:
        return None
    has_total = "total_eval_seconds" in log.facts
    before = [] if has_total else [phase for phase in _phases(log) if _is_outside(log, phase, own)]
    if (outside := log.facts.get("outside_seconds")) is not None:
        before.append(Phase("precomputation outside the timer", float(outside.value), outside.line, outside.text))
    seconds = whole.value + sum(phase.seconds for phase in before)
    parts = [f"{whole.value:.1f} s of evaluation", *(f"{phase.seconds:.1f} s of {phase.name}" for phase in before)]
    longest = max([(whole.value, whole.line, whole.text), *((p.seconds, p.line, p.text) for p in before)])
    wide = seconds + (log.number("compile_seconds") or 0.0) + _other_passes(log, own)
    return EvaluationTime(seconds, wide, tuple(parts), longest[1], longest[2])


def _phases(log: RunLog) -> list[Phase]:
    """Phases ahead of the score; the line of an adaptation that is the headline's own time is none."""
    found = [phase for phase in log.phases if log.headline and phase.line < log.headline.line]
    fact = log.facts.get("adaptation_seconds")
    if fact and log.headline and fact.line < log.headline.line and _timed(log):
        found.append(Phase("adaptation", float(fact.value), fact.line, fact.text))
    families: dict[str, Phase] = {}  # one phase may be told in several lines, with and without its parts
    for phase in found:
        family = phase.name.partition("_")[0]
        if family not in families or families[family].seconds < phase.seconds:
            families[family] = phase
    return list(families.values())


def _is_outside(log: RunLog, phase: Phase, own: float) -> bool:
    """Was the headline's timer started after the phase? It was if it ran for less, or another pass lies in between."""
    headline = log.headline
    between = [
        score
        for score in log.scores
        if headline and phase.line < score.line < headline.line and score.seconds and score.stage != headline.stage
    ]
    return bool(between) or own < phase.seconds


def _timed(log: RunLog) -> bool:
    return any(log.headline and score.stage == log.headline.stage and score.seconds for score in log.scores)


def _other_passes(log: RunLog, own: float) -> float:
    """Seconds of every other stage, each once; a line with the headline's own seconds is the same pass."""
    stages: dict[str, float] = {}
    for score in log.scores:
        another = log.headline and score.stage != log.headline.stage
        if another and score.seconds and abs(score.seconds - own) > _SAME_PASS_SECONDS:
            stages[score.stage] = max(stages.get(score.stage, 0.0), score.seconds)
    return sum(stages.values())
