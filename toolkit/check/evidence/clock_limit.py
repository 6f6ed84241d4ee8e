"""What seconds on a clock mean in a track: the limit, its tolerance, and the words of a README that lift it."""

import re

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import RunLog


def judge_seconds(subject: Subject, rule: Rule, log: RunLog, seconds: float, where: str, evidence: str) -> Finding:
    """Seconds that a log reads at `where`, against the limit and what softens it in this track."""
    found = f"{seconds:.3f} s"
    if seconds <= allowed_seconds(rule):
        return rule.finding("PASS", where, limit_text(rule), found, evidence)
    if line := _line_of_readme(subject, rule.parameters.get("lifted_by_readme")):
        found += "; the README says that the run is not meant to meet it"
        return rule.finding(rule.parameters["lifted"], where, limit_text(rule), found, line)
    if "unclaimed" in rule.parameters and not subject.ours:
        if not _line_of_readme(subject, rule.parameters["claimed_by_readme"]):
            return rule.finding(rule.parameters["unclaimed"], where, limit_text(rule), found, evidence)
        found += ", against the word of the README"
    elif not subject.ours and (ranks := log.number("world_size")) and ranks < rule.parameters["ranks"]:
        scaled = seconds * ranks / rule.parameters["ranks"]  # the least that the same work takes on all ranks
        if scaled <= allowed_seconds(rule):
            found += f" on {ranks} ranks, {scaled:.1f} s on {rule.parameters['ranks']} at best"
            return rule.finding("WARN", where, limit_text(rule), found, evidence)
    return rule.judge(False, where, limit_text(rule), found, evidence)


def _line_of_readme(subject: Subject, pattern: str | None) -> str:
    lines = subject.readme.splitlines() if pattern else ()
    return next((line for line in lines if re.search(str(pattern), line, re.IGNORECASE)), "")


def allowed_seconds(rule: Rule) -> float:
    """The limit with its tolerance."""
    return float(rule.parameters["limit_seconds"] + rule.parameters["tolerance_seconds"])


def limit_text(rule: Rule) -> str:
    """The limit as findings expect it."""
    return f"<= {rule.parameters['limit_seconds']:g} s (tolerance {rule.parameters['tolerance_seconds']:g} s)"
