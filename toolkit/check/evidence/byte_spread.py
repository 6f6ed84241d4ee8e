"""BYTE-SPREAD: the `ppm_seed` stage, which spreads a token over its bytes under any gate."""

from collections.abc import Iterator

from toolkit.check.evidence.ppm_seed_stage import judge_use, ppm_seed_uses
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject


def byte_spread(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Places that use the stage, whatever its gate."""
    for use in ppm_seed_uses(subject):
        yield judge_use(rule, use, use.uses, "no even spread of a token over its bytes", use.found)
