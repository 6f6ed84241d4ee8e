"""REPRODUCIBLE: nothing in the folder or in a log that a rerun would lack."""

import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject

_RESUMES = re.compile(r"(?:resume\w*|init_from|load_(?:from|path|checkpoint)\w*|(?:init|start)_checkpoint\w*)")
_BINARY = re.compile(r"\.(?:so|dll|dylib|exe|pyd|pyc|whl|o|a|cubin|egg)$", re.IGNORECASE)
_NOTHING = ("", "0", "none", "false", "null", "no")


def reproducible(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Nothing that a rerun would lack: no compiled files, no run that goes on from another."""
    binaries = [name for name in subject.files if _BINARY.search(name)]
    for name in binaries:
        yield rule.finding(rule.violation, name, "sources that can be read", "a compiled file")
    resumed = False
    for run in subject.reported:
        for name, fact in run.trained.settings.items():
            if _RESUMES.fullmatch(name) and fact.value.strip("'\"").lower() not in _NOTHING:
                resumed, where = True, subject.where(run.trained, fact.line)
                yield rule.finding(
                    rule.violation, where, "a run from nothing but the data", f"{name}={fact.value}", fact.text
                )
    if not binaries and not resumed:
        yield rule.finding("PASS", ".", "sources, and runs that start from nothing", f"{len(subject.files)} files")
