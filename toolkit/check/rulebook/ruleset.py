"""Rules as data: one TOML file an edition of the rulebook with what all tracks share, and one a track that adjusts it.

A rule names a predicate, which is a tested function, and its parameters; there is no code in the data. The file of a
track may change parameters, soften or sharpen what a violation means there, and waive a rule with the reason.
"""

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.check.rulebook.finding import Finding, shorten
from toolkit.errors import GolfError

RULES_DIR = Path(__file__).with_name("rules")
EDITION = "2026-05-02"


@dataclass(frozen=True)
class Rule:
    """One rule. `status`: OFFICIAL, CONSENSUS or DISPUTED. `violation`: the outcome when it is broken."""

    id: str
    status: str
    title: str
    what: str
    why: str
    example: str
    remedy: str
    references: tuple[str, ...]
    predicate: str = ""  # file of evidence/ and function in it; none for a rule on the script alone
    applies: tuple[str, ...] = ()  # kinds of subject for the predicate: build, run, record, script, log
    static: bool = False  # decided by the analysis of the script too, for all kinds that have one
    violation: str = "FAIL"
    waived: str = ""  # reason why the track does not ask for it
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def tier(self) -> str:
        """What decides: evidence of logs, claims and files; the static analysis of the script; or both."""
        tiers = (("evidence", bool(self.predicate)), ("static", self.static))
        return " + ".join(name for name, there in tiers if there)

    def finding(
        self, outcome: str, where: str, expected: str, found: str, evidence: str = "", level: str = ""
    ) -> Finding:
        where, expected, found, evidence = map(shorten, (where, expected, found, evidence))
        return Finding(self.id, outcome, where, expected, found, evidence, level, self.references)

    def judge(self, holds: bool, where: str, expected: str, found: str, evidence: str = "") -> Finding:
        """PASS when the rule holds, else what a violation means in this track."""
        return self.finding("PASS" if holds else self.violation, where, expected, found, evidence)

    def unknown(self, where: str, expected: str, found: str) -> Finding:
        """Evidence is missing."""
        return self.finding("UNKNOWN", where, expected, found)


@dataclass(frozen=True)
class Export:
    """One export of FineWeb's validation text: number of targets, and the bytes they stand for."""

    name: str
    match: tuple[str, ...]  # what names of its data sets or tokenizers contain
    tokens: int
    bytes: int


@cache
def load_exports(edition: str = EDITION) -> tuple[Export, ...]:
    """The known exports of the validation text."""
    entries = tomllib.loads((RULES_DIR / f"{edition}_common.toml").read_text(encoding="utf-8"))["exports"]
    return tuple(Export(**_tupled(entry)) for entry in entries)


@cache
def load_rules(track: str, edition: str = EDITION) -> tuple[Rule, ...]:
    """The rules of a track in an edition; `GolfError` names the known ones."""
    files = {path.stem.removeprefix(f"{edition}_"): path for path in RULES_DIR.glob(f"{edition}_*.toml")}
    if track not in files:
        known = ", ".join(sorted(files.keys() - {"common"})) or "none of this edition"
        raise GolfError(f"track: expected one of {known}, found {track!r} (edition {edition})")
    changes = tomllib.loads(files[track].read_text(encoding="utf-8"))
    rules = {rule.id: rule for rule in all_rules(edition)}
    for rule_id, change in changes["rules"].items():
        rule = rules[rule_id]
        parameters = rule.parameters | change.pop("parameters", {})
        rules[rule_id] = replace(rule, parameters=parameters, **change)
    return tuple(rules.values())


@cache
def all_rules(edition: str = EDITION) -> tuple[Rule, ...]:
    """The rules as all tracks share them."""
    common = tomllib.loads((RULES_DIR / f"{edition}_common.toml").read_text(encoding="utf-8"))
    return tuple(Rule(**_tupled(entry)) for entry in common["rules"])


def find_rule(rule_id: str, edition: str = EDITION) -> Rule:
    """One of the rules as all tracks share them."""
    return next(rule for rule in all_rules(edition) if rule.id == rule_id)


@cache
def known_tracks(edition: str = EDITION) -> tuple[str, ...]:
    """Tracks that the edition has rules for."""
    names = (path.stem.removeprefix(f"{edition}_") for path in RULES_DIR.glob(f"{edition}_*.toml"))
    return tuple(sorted(name for name in names if name != "common"))


def _tupled(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
