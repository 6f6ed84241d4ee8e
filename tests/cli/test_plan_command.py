"""`golf plan` on real recipes, with the real bundler."""

import json
import re
import sys

import pytest
from click.testing import CliRunner

from toolkit.cli.plan import command, show
from toolkit.errors import GolfError
from toolkit.plan import make_plan
from toolkit.recipe import load_recipe


def test_json_counts_the_packed_script() -> None:
    result = CliRunner().invoke(command, ["demo", "--json"], catch_exceptions=False)
    report = json.loads(result.stdout)
    assert report == make_plan(load_recipe("demo"), report["code_bytes"]).to_json()
    assert 5_000 < report["code_bytes"] < 50_000
    assert report["fits"] is True


@pytest.mark.parametrize(("code_bytes", "last_row"), [(12_345, "997,614 (fits)"), (1_012_345, "-2,386 (does not fit)")])
def test_the_table_says_whether_it_fits(code_bytes: int, last_row: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(make_plan(load_recipe("sp4096"), code_bytes).to_json())
    shown = capsys.readouterr().out
    for text in ("SP4096 MLP4 WD085 (sp4096)", "34,401,371", "90,778,624", f"{code_bytes:,}", last_row):
        assert text in shown
    assert "Estimate: entropy of Gaussian weights" in shown


def test_without_torch_only_the_script_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = make_plan(load_recipe("demo"), 0).to_json().keys()
    monkeypatch.setitem(sys.modules, "torch", None)
    facts = json.loads(CliRunner().invoke(command, ["demo", "--json"], catch_exceptions=False).stdout)
    assert facts.keys() == keys
    known = {key: value for key, value in facts.items() if value is not None}
    assert known.keys() == {"recipe", "title", "track", "code_bytes", "estimate"}
    table = CliRunner().invoke(command, ["demo"], catch_exceptions=False).stdout
    assert re.search(rf"code bytes +│ {known['code_bytes']:,} │", table)
    assert table.count(" - │") == 7
    assert "pip install 'golf-toolkit[train]'" in table


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(GolfError, match="did you mean sp4096"):
        CliRunner().invoke(command, ["sp409"], catch_exceptions=False)
