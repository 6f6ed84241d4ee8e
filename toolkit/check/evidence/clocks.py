"""The two clocks: seconds of training and seconds of evaluation, each 600 on 8xH100."""

import re
from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.evidence.evaluation_time import evaluation_time
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
        yield rule.unknown(".", _limit(rule), "no log with a training time")
    for run in subject.reported:
        log = run.trained
        last = _last_reading(log)
        if last is None:
            yield rule.unknown(subject.where(log), _limit(rule), "no line with a training time")
            continue
        finding = _clock(subject, rule, log, last.value / 1000, subject.where(log, last.line), last.text)
        yield replace(finding, outcome="WARN") if finding.outcome == "FAIL" and _in_flight(log, last, rule) else finding
        yield from _clock_settings(subject, rule, log)
    for run in subject.extra:
        last = _last_reading(run.trained)
        if (
            last
            and last.value / 1000 > _seconds(rule)
            and run.trained.number("world_size") == rule.parameters.get("ranks")
        ):
            where, found = (
                subject.where(run.trained, last.line),
                f"{last.value / 1000:.3f} s in a run that is not reported",
            )
            yield rule.finding("WARN", where, _limit(rule), found, last.text)


def _last_reading(log: RunLog) -> Fact | None:
    names = ("stop_ms", "calibrated_ms", "validation_ms", "step_ms")
    return max((log.facts[name] for name in names if name in log.facts), key=lambda fact: fact.value, default=None)


def _in_flight(log: RunLog, last: Fact, rule: Rule) -> bool:
    """Did the clock stop a published script, a few steps late because ranks agree on it only now and then?

    A row of the leaderboard (#1120) stopped four steps late. Our scripts test the clock at every step.
    """
    steps, parameters = log.steps, rule.parameters
    if not steps or "wallclock_cap" not in last.text or "bundle_sha256" in log.facts:
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


def eval_600(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """What counts of the evaluation, and beside it the sum with compilation and other passes, which fails nobody."""
    if not subject.reported:
        yield rule.unknown(".", _limit(rule), "no log with an evaluation time")
    for run in subject.reported:
        log = run.scored
        for name, setting in log.settings.items():
            if "precompute_outside" in name.lower() and setting.value.lower() not in ("0", "false"):
                where = subject.where(log, setting.line)
                yield rule.finding("WARN", where, "all of it inside the clock", f"{name}={setting.value}", setting.text)
        time = evaluation_time(log)
        if time is None:
            yield rule.unknown(subject.where(log), _limit(rule), "no line with an evaluation time")
            continue
        zero = [
            score for score in log.scores if log.headline and score.stage == log.headline.stage and score.seconds == 0
        ]
        if zero:
            where = f"{subject.where(log, zero[-1].line)} eval_time"
            yield rule.finding("WARN", where, "the seconds of this score", "0", zero[-1].text)
        more = f", which are {' and '.join(time.parts)}" if len(time.parts) > 1 else ""
        if time.wide_seconds > time.seconds:
            more += f"; {time.wide_seconds:.1f} s with compilation and other passes, which do not count"
        finding = _clock(subject, rule, log, time.seconds, subject.where(log, time.line), time.text)
        yield replace(finding, found=finding.found + more)


def _clock(subject: Subject, rule: Rule, log: RunLog, seconds: float, where: str, evidence: str) -> Finding:
    found = f"{seconds:.3f} s"
    if seconds <= _seconds(rule):
        return rule.finding("PASS", where, _limit(rule), found, evidence)
    if line := _line_of_readme(subject, rule.parameters.get("lifted_by_readme")):
        found += "; the README says that the run is not meant to meet it"
        return rule.finding(rule.parameters["lifted"], where, _limit(rule), found, line)
    if "unclaimed" in rule.parameters and not subject.ours:
        if not _line_of_readme(subject, rule.parameters["claimed_by_readme"]):
            return rule.finding(rule.parameters["unclaimed"], where, _limit(rule), found, evidence)
        found += ", against the word of the README"
    elif not subject.ours and (ranks := log.number("world_size")) and ranks < rule.parameters["ranks"]:
        scaled = seconds * ranks / rule.parameters["ranks"]  # the least that the same work takes on all ranks
        if scaled <= _seconds(rule):
            found += f" on {ranks} ranks, {scaled:.1f} s on {rule.parameters['ranks']} at best"
            return rule.finding("WARN", where, _limit(rule), found, evidence)
    return rule.judge(False, where, _limit(rule), found, evidence)


def _line_of_readme(subject: Subject, pattern: str | None) -> str:
    lines = subject.readme.splitlines() if pattern else ()
    return next((line for line in lines if re.search(str(pattern), line, re.IGNORECASE)), "")


def _seconds(rule: Rule) -> float:
    return float(rule.parameters["limit_seconds"] + rule.parameters["tolerance_seconds"])


def _limit(rule: Rule) -> str:
    return f"<= {rule.parameters['limit_seconds']:g} s (tolerance {rule.parameters['tolerance_seconds']:g} s)"
