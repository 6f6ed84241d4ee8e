"""The three budgets: bytes of the artifact, seconds of training, seconds of evaluation."""

import lzma
import re
from collections.abc import Iterator

from toolkit.check.report import Finding
from toolkit.check.reported import SeedRun
from toolkit.check.ruleset import Rule
from toolkit.check.subject import Subject

_STUB_BYTES = 70  # what unpacks a packed script
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
    if model is None and logged is not None and code_logged is not None:
        model = logged - code_logged
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
    packed = len(lzma.compress(subject.script.data, preset=9)) + _STUB_BYTES
    return packed if packed < _PLAIN_RATIO * len(subject.script.data) else float("inf")


def train_600(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The highest reading of the training clock, that with calibration included."""
    if not subject.reported:
        yield rule.unknown(".", _limit(rule), "no log with a training time")
    for run in subject.reported:
        log = run.trained
        names = ("stop_ms", "calibrated_ms", "validation_ms", "step_ms")
        readings = [log.facts[name] for name in names if name in log.facts]
        if not readings:
            yield rule.unknown(subject.where(log), _limit(rule), "no line with a training time")
            continue
        last = max(readings, key=lambda fact: fact.value)
        yield _clock(subject, rule, last.value / 1000, subject.where(log, last.line), last.text)


def eval_600(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The whole evaluation where the log prints its sum, and never less than the pass that gave the score."""
    if not subject.reported:
        yield rule.unknown(".", _limit(rule), "no log with an evaluation time")
    for run in subject.reported:
        log = run.scored
        readings = []
        if "total_eval_seconds" in log.facts:
            fact = log.facts["total_eval_seconds"]
            readings.append((float(fact.value), fact.line, fact.text))
        if log.eval_seconds is not None and log.headline:
            readings.append((log.eval_seconds, log.headline.line, log.headline.text))
        if not readings:
            yield rule.unknown(subject.where(log), _limit(rule), "no line with an evaluation time")
            continue
        seconds, line, text = max(readings)
        yield _clock(subject, rule, seconds, subject.where(log, line), text)


def _clock(subject: Subject, rule: Rule, seconds: float, where: str, evidence: str) -> Finding:
    limit = rule.parameters["limit_seconds"] + rule.parameters["tolerance_seconds"]
    found = f"{seconds:.3f} s"
    pattern = rule.parameters.get("lifted_by_readme")
    if seconds > limit and pattern:
        for line in subject.readme.splitlines():
            if re.search(pattern, line, re.IGNORECASE):
                found += "; the README says that the run is not meant to meet it"
                return rule.finding(rule.parameters["lifted"], where, _limit(rule), found, line)
    return rule.judge(seconds <= limit, where, _limit(rule), found, evidence)


def _limit(rule: Rule) -> str:
    return f"<= {rule.parameters['limit_seconds']:g} s (tolerance {rule.parameters['tolerance_seconds']:g} s)"
