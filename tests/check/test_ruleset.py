"""The rule files: complete, consistent with the predicates, adjusted by track."""

from collections.abc import Iterator
from typing import get_type_hints

import pytest

from toolkit.check.engine import find_predicate
from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule, all_rules, known_tracks, load_exports, load_rules
from toolkit.check.subject.subject import Subject
from toolkit.components.config import TRACKS
from toolkit.errors import GolfError


def rule_of(track: str, rule_id: str) -> Rule:
    return next(rule for rule in load_rules(track) if rule.id == rule_id)


def test_every_track_of_a_recipe_has_rules() -> None:
    assert set(known_tracks()) == set(TRACKS)


@pytest.mark.parametrize("track", TRACKS)
def test_rules_are_complete(track: str) -> None:
    for rule in load_rules(track):
        assert rule.status in ("OFFICIAL", "CONSENSUS", "DISPUTED")
        assert rule.violation in ("FAIL", "WARN")
        assert rule.tier in ("evidence", "static", "evidence + static")
        assert rule.violation == "WARN" or rule.status != "DISPUTED"
        assert set(rule.applies) <= {"build", "run", "record", "script", "log"}
        for text in (rule.title, rule.what, rule.why, rule.example, rule.remedy, *rule.references):
            assert text


def test_a_predicate_is_the_function_of_its_file() -> None:
    for rule in all_rules():
        assert bool(rule.predicate) == bool(rule.applies), rule.id
        if rule.predicate:
            hints = get_type_hints(find_predicate(rule.predicate))
            assert list(hints.values()) == [Subject, Rule, Iterator[Finding]], rule.id


def test_tracks_adjust_rules() -> None:
    assert rule_of("10min_16mb", "TARGET-GATE").violation == "FAIL"
    assert rule_of("non-record-16mb", "TARGET-GATE").violation == "WARN"
    assert rule_of("non-record-16mb", "SIGNIFICANCE").waived
    assert not rule_of("10min_16mb", "SIGNIFICANCE").waived
    assert rule_of("10min_16mb", "TRAIN-600").parameters["limit_seconds"] == 600.0
    assert rule_of("non-record-16mb", "TRAIN-600").parameters["lifted"] == "WARN"


def test_unknown_track_names_the_known_ones() -> None:
    with pytest.raises(GolfError, match=r"expected one of 10min_16mb, .* found 'fast'"):
        load_rules("fast")
    with pytest.raises(GolfError, match="edition 1999"):
        load_rules("10min_16mb", "1999")


def test_exports_agree_on_one_text() -> None:
    """All but the first, older one hold the same documents; they differ by what normalisation keeps."""
    sizes = [export.bytes for export in load_exports() if "March" not in export.name]
    assert max(sizes) - min(sizes) < 1e-4 * max(sizes)
