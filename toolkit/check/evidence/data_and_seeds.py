"""Traces in logs and folders of what a script alone does not show: the data that were there, the seeds that were tried.

A fingerprint is circumstantial. It fails a submission only where maintainers have dropped one for it.
"""

import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.exports import data_names
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import Fact, RunLog

_TRUE = re.compile(r"1|true|yes|on", re.IGNORECASE)
_TRAINS_ON_VAL = re.compile(r"(?:train_(?:on|with)_val\w*|val_(?:in_)?train\w*|include_val\w*)")
_VAL_ONLY = re.compile(r"val_?only", re.IGNORECASE)
_VAL_SHARDS = re.compile(r"fineweb_val|(?:^|/)val_[^/]*\.bin")
_DOUBLED = re.compile(r"datasets/+datasets(?:/|$)")
_BEST_OF = re.compile(
    r"\bbest[- ]of[- ](?:\d+|k|n)\b[^.\n]{0,40}\b(?:seeds?|runs?)|\bseed[- ](?:search|hunt|mining|sweep)", re.I
)
_RESUMES = re.compile(r"(?:resume\w*|init_from|load_(?:from|path|checkpoint)\w*|(?:init|start)_checkpoint\w*)")
_BINARY = re.compile(r"\.(?:so|dll|dylib|exe|pyd|pyc|whl|o|a|cubin|egg)$", re.IGNORECASE)
_DATA_PATHS = ("data_path", "data_dir", "datasets_dir", "dataset", "train_files", "train_loader")
_NOTHING = ("", "0", "none", "false", "null", "no")


def no_val_in_training(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The training data that a log names, and how many shards of it there were."""
    expected = "training shards without a validation document"
    for run in subject.reported:
        log = run.trained
        for outcome, fact, found in _training_data(log, rule):
            yield rule.finding(outcome, subject.where(log, fact.line), expected, found, fact.text)


def _training_data(log: RunLog, rule: Rule) -> Iterator[tuple[str, Fact, str]]:
    """Outcome, fact and what it says, of every line about the training data."""
    for name, fact in log.settings.items():
        if _TRAINS_ON_VAL.fullmatch(name) and _TRUE.fullmatch(fact.value):
            yield rule.violation, fact, f"{name}={fact.value}"
        elif name in ("train_files", "train_pattern") and _VAL_SHARDS.search(fact.value):
            yield rule.violation, fact, f"{name} names validation shards"
        elif name in _DATA_PATHS and _VAL_ONLY.search(fact.value):
            yield rule.violation, fact, f"{name}={fact.value}"
    doubled = next(
        (fact for name, fact in log.settings.items() if name in _DATA_PATHS and _DOUBLED.search(fact.value)), None
    )
    if doubled:
        yield "WARN", doubled, f"{doubled.value}, a layout that local preparation leaves"
    shards = log.facts.get("train_shards")
    if shards is None:
        return
    parameters, found = rule.parameters, f"{shards.value} shards"
    names = data_names(log).lower()
    if "fineweb" not in names and "caseops" not in names:
        yield "PASS", shards, f"{found} of another text"
    elif shards.value in parameters["prepared_shards"]:
        yield (
            rule.violation,
            shards,
            f"{found}, as preparation with 10,000 validation documents leaves: 40,000 are trained on",
        )
    elif "caseops" in names and shards.value in parameters["suspicious_shards"]:
        yield "WARN", shards, f"{found}, as local preparation leaves; ask how many validation documents it kept apart"
    elif shards.value == 1:
        yield "WARN", shards, f"{found}; the validation text is one shard"
    else:
        yield "PASS", shards, found


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
