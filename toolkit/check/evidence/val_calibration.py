"""VAL-CALIBRATION: the text that the quantizer's statistics come from, as a log names it.

What a script reads without printing it is left to the static analysis.
"""

import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import Fact, RunLog

_SOURCE_SETTING = re.compile(r"\w*calib\w*(?:source|data|split|files)|\w*(?:source|data|split)\w*calib\w*")


def val_calibration(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Settings and lines of a log that name the source of the quantizer's statistics."""
    expected = "statistics of training or generated text"
    for run in subject.reported:
        log = run.trained
        for fact in _sources(log):
            where = subject.where(log, fact.line)
            validation = bool(re.search(r"\bval(?:id\w*)?(?:_|\b)", str(fact.value), re.IGNORECASE))
            yield rule.judge(not validation, where, expected, f"{fact.value}", fact.text)


def _sources(log: RunLog) -> Iterator[Fact]:
    if "calibration_source" in log.facts:
        yield log.facts["calibration_source"]
    yield from (fact for name, fact in log.settings.items() if _SOURCE_SETTING.fullmatch(name))
