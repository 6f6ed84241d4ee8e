"""SEED-BRUTEFORCE: seeds as people choose them, and every run reported."""

import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject

_BEST_OF = re.compile(
    r"\bbest[- ]of[- ](?:\d+|k|n)\b[^.\n]{0,40}\b(?:seeds?|runs?)|\bseed[- ](?:search|hunt|mining|sweep)", re.I
)


def seed_bruteforce(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Seeds as people choose them, all that have a log reported, and no word of a search."""
    reported = [run.seed for run in subject.reported if run.seed is not None]
    warned = False
    for run in subject.reported:
        fact = run.trained.facts.get("seed")
        if fact and len(str(fact.value)) >= rule.parameters["digits"]:
            warned, where = True, subject.where(run.trained, fact.line)
            yield rule.finding(
                rule.violation, where, f"fewer than {rule.parameters['digits']} digits", f"seed {fact.value}", fact.text
            )
    tried = {run.seed for run in subject.extra if run.seed is not None} - set(reported)
    if len(tried) > len(reported):
        warned, found = True, f"{len(reported)} reported, {len(tried)} other seeds with logs: {sorted(tried)[:10]}"
        yield rule.finding(rule.violation, ".", "every seed that was run, reported", found)
    for number, line in enumerate(subject.readme.splitlines(), 1):
        if _BEST_OF.search(line):
            warned = True
            yield rule.finding(rule.violation, f"README.md:{number}", "no search over seeds", "a word of one", line)
    if reported and not warned:
        yield rule.finding("PASS", ".", "no search over seeds", f"seeds {', '.join(map(str, reported))}")
