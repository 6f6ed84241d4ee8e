"""From a path to a report: load the subject, pick the rules of its track, run their predicates, collect the facts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from toolkit.check.evidence.byte_spread import byte_spread
from toolkit.check.evidence.code_log_mismatch import code_log_mismatch
from toolkit.check.evidence.eval_600 import eval_600
from toolkit.check.evidence.full_val_coverage import full_val_coverage
from toolkit.check.evidence.gptq_calibration_budget import gptq_calibration_budget
from toolkit.check.evidence.no_val_in_training import no_val_in_training
from toolkit.check.evidence.one_folder import one_folder
from toolkit.check.evidence.plausible_score import plausible_score
from toolkit.check.evidence.probes import probe_findings
from toolkit.check.evidence.record_files import record_files
from toolkit.check.evidence.reproducible import reproducible
from toolkit.check.evidence.seed_bruteforce import seed_bruteforce
from toolkit.check.evidence.significance import significance
from toolkit.check.evidence.size_cap import size_cap
from toolkit.check.evidence.target_gate import target_gate
from toolkit.check.evidence.tokenizer_bytes import tokenizer_bytes
from toolkit.check.evidence.tokenizer_normalization import tokenizer_normalization
from toolkit.check.evidence.track_label import track_label
from toolkit.check.evidence.train_600 import train_600
from toolkit.check.evidence.val_calibration import val_calibration
from toolkit.check.report.facts import collect_facts
from toolkit.check.rulebook.finding import Finding, Report
from toolkit.check.rulebook.ruleset import Rule, load_rules
from toolkit.check.static.judge import analyze_script, judge_script
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.files import Source, open_source
from toolkit.check.subject.git import Change
from toolkit.check.subject.subject import RECORD_TRACK, Subject, load_subject

Predicate = Callable[[Subject, Rule], Iterator[Finding]]


def check_path(path: Path, against: Baseline | None = None) -> Report:
    """Check what lies at `path`. `against` holds the scores that a record has to beat."""
    return check_source(open_source(path), against)


def check_source(source: Source, against: Baseline | None = None, change: Change | None = None) -> Report:
    """Check a folder, file or commit; `change` is the pull request that brings it.

    Without any track label the rules of the leaderboard apply. Raises `GolfError` when there is nothing to check.
    """
    subject = load_subject(source)
    predicates: dict[str, Predicate] = {
        "size_cap": size_cap,
        "train_600": train_600,
        "eval_600": eval_600,
        "record_files": record_files,
        "track_label": track_label,
        "full_val_coverage": full_val_coverage,
        "tokenizer_bytes": tokenizer_bytes,
        "code_log_mismatch": code_log_mismatch,
        "significance": partial(significance, against=against),
        "target_gate": target_gate,
        "byte_spread": byte_spread,
        "one_folder": partial(one_folder, change=change),
        "gptq_calibration_budget": gptq_calibration_budget,
        "no_val_in_training": no_val_in_training,
        "seed_bruteforce": seed_bruteforce,
        "reproducible": reproducible,
        "val_calibration": val_calibration,
        "plausible_score": plausible_score,
        "tokenizer_normalization": partial(tokenizer_normalization, source=source),
    }
    findings: list[Finding] = []
    rules = load_rules(subject.track or RECORD_TRACK)
    for rule in rules:
        if subject.kind not in rule.applies:
            continue
        if rule.waived:
            label = ", ".join(f"{label} ({where})" for where, label in subject.labels.items())
            findings.append(rule.finding("PASS", ".", "nothing in this track", rule.waived, f"track: {label}"))
        else:
            findings += predicates[rule.predicate](subject, rule)
    if analysis := analyze_script(source, subject):
        decided = {(finding.rule, finding.where) for finding in findings}
        findings += [f for f in judge_script(analysis, rules) if (f.rule, f.where) not in decided]
    findings += probe_findings(subject, rules)
    logs = {subject.where(log) for run in subject.reported for log in (run.trained, run.scored)}
    findings = [_with_level(finding, logs) for finding in findings]
    return Report(tuple(findings), collect_facts(subject))


def _with_level(finding: Finding, logs: set[str]) -> Finding:
    """A finding at a line of a log rests on what the log says."""
    in_log = finding.where.rpartition(":")[0] in logs or finding.where in logs
    return replace(finding, level="log") if in_log and not finding.level else finding
