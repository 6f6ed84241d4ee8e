"""NO-VAL-IN-TRAINING: the training data that a log names, and how many shards of them there were.

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
_DATA_PATHS = ("data_path", "data_dir", "datasets_dir", "dataset", "train_files", "train_loader")


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
