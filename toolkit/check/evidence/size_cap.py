"""SIZE-CAP: code and compressed model of every seed, from the files, the logs, or what is claimed."""

import lzma
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.seed_runs import SeedRun
from toolkit.check.subject.subject import Subject

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
        yield _claimed_size(subject, rule, ".", expected) or rule.unknown(".", expected, "no log with a size")
    for run in subject.reported:
        yield _size_of_run(subject, rule, run, script_bytes, expected)


def _claimed_size(subject: Subject, rule: Rule, where: str, expected: str) -> Finding | None:
    """A submission's own word that it is too large, which needs no log; that it fits proves nothing."""
    claims = subject.claims
    if claims is None or claims.largest_bytes <= rule.parameters["cap_bytes"]:
        return None
    return rule.finding(rule.violation, where, expected, f"{claims.largest_bytes:,.0f} bytes as {claims.where} claims")


def _size_of_run(subject: Subject, rule: Rule, run: SeedRun, script_bytes: int | None, expected: str) -> Finding:
    log, cap = run.trained, rule.parameters["cap_bytes"]
    logged, code_logged = log.artifact_bytes, log.code_bytes
    model = log.model_bytes if subject.model_bytes is None else subject.model_bytes
    if logged is not None and code_logged is not None:  # a total may count more than the model, such as tables
        model = max(model or 0, logged - code_logged)
    fact = log.source("artifact_bytes") or log.source("model_bytes")
    where = subject.where(log, fact.line if fact else None)
    code = code_logged if script_bytes is None else script_bytes
    recomputed = model + code if model is not None and code is not None else None
    totals = [total for total in (logged, recomputed) if total is not None]
    if not totals:
        return _claimed_size(subject, rule, where, expected) or rule.unknown(
            where, expected, "no line with the bytes of code and model"
        )
    found = f"{max(totals):,} bytes"
    if model is not None and code is not None:
        found += f" (model {model:,}, code {code:,}, logged total {'none' if logged is None else format(logged, ',')})"
    evidence = fact.text if fact else ""
    if max(totals) <= cap:
        return rule.finding("PASS", where, expected, found, evidence)
    if not log.ours and model is not None and code is not None:
        # Published practice since #1530: a readable script is shipped, its minified and compressed copy is counted.
        # A log that counts a compressed copy has its reading; nobody can compress it once more afterwards (#1978).
        compressed = code_logged if "script_bytes" in log.facts else None
        reading = min(code, code_logged or code, _compressed_bytes(subject)) if compressed is None else compressed
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
