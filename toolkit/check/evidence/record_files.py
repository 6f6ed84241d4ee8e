"""RECORD-FILES: what the folder of a record holds."""

from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject
from toolkit.folders import README_NAME, SCRIPT_NAME, SUBMISSION_NAME


def record_files(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """README and submission file with their fields; a script; a log for every claimed seed."""
    missing = missing_required_files(subject)
    for name in rule.parameters["documents"]:
        found, outcome = "present", "PASS"
        if name in missing:
            stand_in = subject.claims.where if subject.claims and name == SUBMISSION_NAME else ""
            found, outcome = f"{stand_in} instead" if stand_in else "missing", "WARN"
        yield rule.finding(outcome, name, "a file of this name", found)
    if subject.claims:
        empty = [name for name in rule.parameters["fields"] if subject.claims.fields.get(name) in (None, "")]
        expected = "the fields " + ", ".join(rule.parameters["fields"])
        found = f"no {', '.join(empty)}" if empty else "all of them"
        yield rule.finding("WARN" if empty else "PASS", f"{subject.claims.where} fields", expected, found)
    script = subject.script
    expected = "a script that trains, under this name"
    if script is None or not script.data.strip():
        found = "an empty file" if script else "no script"
        yield rule.finding(_missing(subject, rule), SCRIPT_NAME, expected, found)
    else:
        outcome = "PASS" if script.name == SCRIPT_NAME else "WARN"
        yield rule.finding(outcome, script.name, expected, f"{len(script.data):,} bytes")
    yield from _seed_logs(subject, rule)


def missing_required_files(subject: Subject) -> list[str]:
    """Literal names of what the README of the competition asks for; `train log` when there is no log at all."""
    names = (README_NAME, SUBMISSION_NAME, SCRIPT_NAME)
    missing = [name for name in names if name not in subject.files]
    return missing if subject.reported else [*missing, "train log"]


def _seed_logs(subject: Subject, rule: Rule) -> Iterator[Finding]:
    expected = "a train log of this seed"
    seeds = subject.claims.seeds if subject.claims else {}
    runs = (*subject.reported, *subject.extra)
    for seed in seeds:
        named = [run for run in runs if subject.claims and run.claimed_as(subject.claims) == seed]
        found = ", ".join(sorted({subject.where(run.trained) for run in named}))
        # Early records claim three seeds and ship one log; our own folders are written by a program.
        partly = not subject.ours and runs
        outcome = "PASS" if named else "WARN" if partly else _missing(subject, rule)
        yield rule.finding(outcome, f"seed {seed}", expected, found or "no log")
    if not seeds:
        found = ", ".join(sorted({subject.where(run.trained) for run in runs}))
        outcome = "PASS" if runs else _missing(subject, rule)
        yield rule.finding(outcome, "train log", "a log of the run", found or "no log")


def _missing(subject: Subject, rule: Rule) -> str:
    """What a missing script or log means: outside of the leaderboard such folders were accepted."""
    return rule.violation if subject.ours else str(rule.parameters.get("missing", rule.violation))
