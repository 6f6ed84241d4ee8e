"""GPTQ-CALIBRATION-BUDGET: the clock that the quantizer's statistics were collected under, as a log tells of it.

Covers the lines that published scripts print around GPTQ. What a script reads without printing it is not seen here.
"""

import re
from collections.abc import Iterator

from toolkit.check.evidence.clock_limit import allowed_seconds, limit_text
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule, find_rule
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import RunLog

_GENERATED = re.compile(r"autoregressive|self[- ]?gen|generated|random", re.IGNORECASE)
_TRAINING = re.compile(r"train(?:ing)?[ _-](?:data|shard|set)", re.IGNORECASE)


def gptq_calibration_budget(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Training clock plus calibration on training data, against the limit of the training clock."""
    for run in subject.reported:
        if finding := _calibration(subject, rule, run.trained):
            yield finding


def _calibration(subject: Subject, rule: Rule, log: RunLog) -> Finding | None:
    clock, spent = find_rule("TRAIN-600"), log.facts.get("calibration_seconds")
    stop, source = log.stop_seconds, log.facts.get("calibration_source")
    if log.clock_includes_calibration or spent is None or stop is None:
        return None  # TRAIN-600 judges a clock that includes it; without a line there is nothing to add
    where, total = subject.where(log, spent.line), stop + spent.value
    reserve = log.number("reserve_ms") or 1000 * (log.number("reserve_seconds") or 0)
    named = f" of {source.value!r}" if source else ""
    found = f"{total:.1f} s: {stop:.1f} s of training, {spent.value:g} s of calibration{named}"
    expected = f"{limit_text(clock)}, the calibration on training data included"
    if source and _GENERATED.search(source.value):
        return rule.finding("PASS", where, expected, f"{found}, which is no training data", source.text)
    over = total - allowed_seconds(clock)
    if over <= 0:
        return rule.finding("PASS", where, expected, found, spent.text)
    # A log that names no source proves nothing, and a reserve that was a little too small is no intent.
    of_training = source is not None and bool(_TRAINING.search(source.value))
    small = bool(reserve) and over <= rule.parameters["small_overshoot_seconds"]
    outcome = rule.violation if of_training and not small else "WARN"
    return rule.finding(outcome, where, expected, f"{found}, reserve {reserve / 1000:g} s", spent.text)
