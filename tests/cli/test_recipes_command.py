"""`golf recipes` lists every built-in recipe with its counts."""

import json
import sys

import pytest
from click.testing import CliRunner

from toolkit.cli.recipes import command
from toolkit.recipe import recipe_names


def test_json_lists_every_recipe() -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    rows = {row["recipe"]: row for row in json.loads(result.output)}
    assert sorted(rows) == recipe_names()
    assert rows["naive_baseline"] == {
        "recipe": "naive_baseline",
        "title": "Naive Baseline",
        "track": "10min_16mb",
        "parameters": 17_059_912,
        "stages": ["roundtrip"],
    }


def test_without_torch_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    assert {row["recipe"]: row["parameters"] for row in json.loads(result.output)} == dict.fromkeys(recipe_names())
    table = CliRunner().invoke(command, [], catch_exceptions=False).output
    assert table.count("│          - │") == len(recipe_names())
    assert "pip install 'golf-toolkit[train]'" in table


def test_the_table_shows_full_names_and_counts_in_80_columns() -> None:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(command, [], catch_exceptions=False)
    for text in (*recipe_names(), "17,059,912", "34,401,371", "10min_16mb"):
        assert text in result.output
    assert max(map(len, result.output.splitlines())) <= 80
