"""From a path to a report: load the subject, pick the rules of its track, run their predicates, collect the facts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from toolkit.check.evidence.probes import probe_findings
from toolkit.check.report.facts import collect_facts
from toolkit.check.rulebook.finding import Finding, Report
from toolkit.check.rulebook.ruleset import Rule, load_rules
from toolkit.check.static.judge import analyze_script, judge_script
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.files import Source, open_source
from toolkit.check.subject.git import Change
from toolkit.check.subject.subject import RECORD_TRACK, Subject, load_subject

Predicate = Callable[[Subject, Rule], Iterator[Finding]]  # no two findings at one place


def check_path(path: Path, against: Baseline | None = None) -> Report:
    """Check what lies at `path`. `against` holds the scores that a record has to beat."""
    return check_source(open_source(path), against)


def check_source(source: Source, against: Baseline | None = None, change: Change | None = None) -> Report:
    """Check a folder, file or commit; `change` is the pull request that brings it.

    Without any track label the rules of the leaderboard apply. Raises `GolfError` when there is nothing to check.
    """
    subject = replace(load_subject(source), against=against, change=change)
    findings: list[Finding] = []
    rules = load_rules(subject.track or RECORD_TRACK)
    for rule in rules:
        if subject.kind not in rule.applies:
            continue
        if rule.waived:
            label = ", ".join(f"{label} ({where})" for where, label in subject.labels.items())
            findings.append(rule.finding("PASS", ".", "nothing in this track", rule.waived, f"track: {label}"))
        else:
            findings += find_predicate(rule.predicate)(subject, rule)
    if analysis := analyze_script(subject):
        decided = {(finding.rule, finding.where) for finding in findings}
        findings += [f for f in judge_script(analysis, rules) if (f.rule, f.where) not in decided]
    findings += probe_findings(subject, rules)
    logs = {subject.where(log) for run in subject.reported for log in (run.trained, run.scored)}
    findings = [_with_level(finding, logs) for finding in findings]
    return Report(tuple(findings), collect_facts(subject))


def find_predicate(name: str) -> Predicate:
    """What decides a rule on the evidence: the function that is named like its file in `evidence/`."""
    predicate: Predicate = getattr(import_module(f"toolkit.check.evidence.{name}"), name)
    return predicate


def _with_level(finding: Finding, logs: set[str]) -> Finding:
    """A finding at a line of a log rests on what the log says."""
    in_log = finding.where.rpartition(":")[0] in logs or finding.where in logs
    return replace(finding, level="log") if in_log and not finding.level else finding
