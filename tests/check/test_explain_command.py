"""golf explain: a page for every rule, from the data that the checker reads."""

import pytest
from click.testing import CliRunner

from toolkit.check.rulebook.ruleset import all_rules
from toolkit.cli.main import golf


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(golf, ["explain", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_every_rule_has_a_page(rule: object) -> None:
    code, page = run(rule.id)  # type: ignore[attr-defined]
    assert code == 0
    for heading in ("What", "Why", "Example", "Remedy", "Tracks", "References"):
        assert f"\n{heading}\n  " in page


def test_a_page_says_what_a_violation_means_in_each_track() -> None:
    _, page = run("significance")
    assert "10min_16mb: a violation is FAIL" in page
    assert "non-record-16mb: does not apply (no bar in this track)" in page


def test_the_list() -> None:
    _, listed = run()
    assert [line.split()[0] for line in listed.splitlines()] == [rule.id for rule in all_rules()]


def test_a_near_miss() -> None:
    code, text = run("SIZECAP")
    assert code == 1
    assert text == "Error: RULE: expected the id of a rule, found 'SIZECAP'; did you mean SIZE-CAP?\n"
