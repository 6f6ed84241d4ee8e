"""TRAIN-600: seconds of training, 600 on 8xH100, and what could get around them."""

import re
from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.evidence.clock_limit import allowed_seconds, judge_seconds, limit_text
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import Fact, RunLog

_FORCED_STEPS = re.compile(
    r"(?:force\w*|fixed|hard)_(?:stop_)?(?:at_)?steps?|(?:force_|hard_)?stop_(?:at_)?step|fixed_num_steps"
)


def train_600(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The highest reading of the training clock, that with calibration included; then what could get around it."""
    if not subject.reported:
        yield rule.unknown(".", limit_text(rule), "no log with a training time")
    for run in subject.reported:
        log = run.trained
        last = log.clock
        if last is None:
            yield rule.unknown(subject.where(log), limit_text(rule), "no line with a training time")
            continue
        finding = judge_seconds(subject, rule, log, last.value / 1000, subject.where(log, last.line), last.text)
        yield replace(finding, outcome="WARN") if finding.outcome == "FAIL" and _in_flight(log, last, rule) else finding
        yield from _clock_settings(subject, rule, log)
    for run in subject.extra:
        last = run.trained.clock
        if (
            last
            and last.value / 1000 > allowed_seconds(rule)
            and run.trained.number("world_size") == rule.parameters.get("ranks")
        ):
            where, found = (
                subject.where(run.trained, last.line),
                f"{last.value / 1000:.3f} s in a run that is not reported",
            )
            yield rule.finding("WARN", where, limit_text(rule), found, last.text)


def _in_flight(log: RunLog, last: Fact, rule: Rule) -> bool:
    """Did the clock stop a published script, a few steps late because ranks agree on it only now and then?

    A row of the leaderboard (#1120) stopped four steps late. Our scripts test the clock at every step.
    """
    steps, parameters = log.steps, rule.parameters
    if not steps or "wallclock_cap" not in last.text or log.ours:
        return False
    over = last.value / 1000 - parameters["limit_seconds"]
    return bool(over <= min(parameters["steps_in_flight"] * last.value / 1000 / steps, parameters["in_flight_seconds"]))


def _clock_settings(subject: Subject, rule: Rule, log: RunLog) -> Iterator[Finding]:
    """Settings that stop a run by steps instead of the clock, and step times that contradict it."""
    for name, fact in log.settings.items():
        number = re.fullmatch(r"\d{1,9}", fact.value)
        if _FORCED_STEPS.fullmatch(name) and number and int(fact.value) > 0:
            where = subject.where(log, fact.line)
            yield rule.finding("WARN", where, "a run that the clock stops", f"{name}={fact.value}", fact.text)
    step, clock, average = (log.facts.get(name) for name in ("step", "step_ms", "step_avg_ms"))
    if step and clock and average and step.line == clock.line == average.line and step.value and average.value:
        mean = clock.value / step.value
        if abs(mean / average.value - 1) > rule.parameters["step_time_tolerance"]:
            where, expected = subject.where(log, step.line), f"{average.value:g} ms a step as printed"
            yield rule.finding("WARN", where, expected, f"{mean:.2f} ms from clock and steps", step.text)
