"""The three budgets: bytes of the artifact, seconds of training, seconds of evaluation."""

import lzma
import re
from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.report import Finding
from toolkit.check.reported import SeedRun
from toolkit.check.ruleset import Rule
from toolkit.check.subject import Subject
from toolkit.run.runlog import Fact, RunLog

_STUB_BYTES = 70  # what unpacks a packed script
_FORCED_STEPS = re.compile(
    r"(?:force\w*|fixed|hard)_(?:stop_)?(?:at_)?steps?|(?:force_|hard_)?stop_(?:at_)?step|fixed_num_steps"
)
_PLAIN_RATIO = 0.5  # Python source shrinks to about a quarter, a packed script hardly


def size_cap(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Code and model of every seed, recomputed from the files that are there and held against the log's own total."""
    cap = rule.parameters["cap_bytes"]
    expected = f"<= {cap:,} bytes of code and model"
    script_bytes = len(subject.script.data) if subject.script else None
    if subject.kind in ("build", "script") and subject.script and script_bytes is not None:
        found = f"{script_bytes:,} bytes of code, {cap - script_bytes:,} left for the model"
        yield rule.judge(script_bytes < cap, subject.script.name, expected, found)
    elif not subject.reported:
        yield rule.unknown(".", expected, "no log with a size")
    for run in subject.reported:
        yield _size_of_run(subject, rule, run, script_bytes, expected)


def _size_of_run(subject: Subject, rule: Rule, run: SeedRun, script_bytes: int | None, expected: str) -> Finding:
    log, cap = run.trained, rule.parameters["cap_bytes"]
    logged, code_logged = log.artifact_bytes, log.number("code_bytes")
    model = log.number("model_bytes") if subject.model_bytes is None else subject.model_bytes
    if logged is not None and code_logged is not None:  # a total may count more than the model, such as tables
        model = max(model or 0, logged - code_logged)
    fact = next((log.facts[name] for name in ("total_bytes", "model_bytes") if name in log.facts), None)
    where = subject.where(log, fact.line if fact else None)
    code = code_logged if script_bytes is None else script_bytes
    recomputed = model + code if model is not None and code is not None else None
    totals = [total for total in (logged, recomputed) if total is not None]
    if not totals:
        return rule.unknown(where, expected, "no line with the bytes of code and model")
    found = f"{max(totals):,} bytes"
    if model is not None and code is not None:
        found += f" (model {model:,}, code {code:,}, logged total {'none' if logged is None else format(logged, ',')})"
    evidence = fact.text if fact else ""
    if max(totals) <= cap:
        return rule.finding("PASS", where, expected, found, evidence)
    if "bundle_sha256" not in log.facts and model is not None and code is not None:
        # Published practice since #1530: a readable script is shipped, its minified and compressed copy is counted.
        reading = min(code, code_logged or code, _compressed_bytes(subject))
        if model + reading <= cap:
            found += f"; {model + reading:,} with {reading:,} bytes of compressed code"
            return rule.finding("WARN", where, expected, found, evidence)
    return rule.finding(rule.violation, where, expected, found, evidence)


def _compressed_bytes(subject: Subject) -> float:
    """Bytes of a plain script as a packed one; infinite for a script that is packed already or absent."""
    if subject.script is None:
        return float("inf")
    packed = len(lzma.compress(subject.script.data)) + _STUB_BYTES
    return packed if packed < _PLAIN_RATIO * len(subject.script.data) else float("inf")


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
        finding = _clock(subject, rule, last.value / 1000, subject.where(log, last.line), last.text)
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
    """The whole evaluation where the log prints its sum, and never less than the pass that gave the score."""
    if not subject.reported:
        yield rule.unknown(".", _limit(rule), "no log with an evaluation time")
    for run in subject.reported:
        log = run.scored
        for name, setting in log.settings.items():
            if "precompute_outside" in name.lower() and setting.value.lower() not in ("0", "false"):
                where = subject.where(log, setting.line)
                yield rule.finding("WARN", where, "all of it inside the clock", f"{name}={setting.value}", setting.text)
        readings = []
        if "total_eval_seconds" in log.facts:
            fact = log.facts["total_eval_seconds"]
            readings.append((float(fact.value), fact.line, fact.text))
        if log.eval_seconds is not None and log.headline:
            readings.append((log.eval_seconds, log.headline.line, log.headline.text))
        if not readings:
            yield rule.unknown(subject.where(log), _limit(rule), "no line with an evaluation time")
            continue
        zero = [
            score for score in log.scores if log.headline and score.stage == log.headline.stage and score.seconds == 0
        ]
        if zero:
            where = f"{subject.where(log, zero[-1].line)} eval_time"
            yield rule.finding("WARN", where, "the seconds of this score", "0", zero[-1].text)
        seconds, line, text = max(readings)
        yield _clock(subject, rule, seconds, subject.where(log, line), text)


def _clock(subject: Subject, rule: Rule, seconds: float, where: str, evidence: str) -> Finding:
    found = f"{seconds:.3f} s"
    if seconds > _seconds(rule):
        if line := _line_of_readme(subject, rule.parameters.get("lifted_by_readme")):
            found += "; the README says that the run is not meant to meet it"
            return rule.finding(rule.parameters["lifted"], where, _limit(rule), found, line)
        ours = any("bundle_sha256" in run.trained.facts for run in subject.reported)
        if "unclaimed" in rule.parameters and not ours:
            if not _line_of_readme(subject, rule.parameters["claimed_by_readme"]):
                return rule.finding(rule.parameters["unclaimed"], where, _limit(rule), found, evidence)
            found += ", against the word of the README"
    return rule.judge(seconds <= _seconds(rule), where, _limit(rule), found, evidence)


def _line_of_readme(subject: Subject, pattern: str | None) -> str:
    lines = subject.readme.splitlines() if pattern else ()
    return next((line for line in lines if re.search(str(pattern), line, re.IGNORECASE)), "")


def _seconds(rule: Rule) -> float:
    return float(rule.parameters["limit_seconds"] + rule.parameters["tolerance_seconds"])


def _limit(rule: Rule) -> str:
    return f"<= {rule.parameters['limit_seconds']:g} s (tolerance {rule.parameters['tolerance_seconds']:g} s)"
