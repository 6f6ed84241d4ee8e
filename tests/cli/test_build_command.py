"""`golf build`: files, table and object."""

import json

import pytest
from click.testing import CliRunner

from toolkit.cli.build import command
from toolkit.cli.main import golf


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(golf.commands, "build", command)
    return lambda *arguments: CliRunner().invoke(golf, ["build", *arguments])


def test_default_folder_and_table(invoke, tmp_path):
    result = invoke("naive_baseline")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "build" / "naive_baseline"
    code_bytes = (folder / "train_gpt.py").stat().st_size
    for text in ("build/naive_baseline", f"{code_bytes:,}", "train_gpt_readable.py", "optimizer", "seconds"):
        assert text in result.output


def test_object_and_folder(invoke, tmp_path):
    result = invoke("naive_baseline", "-o", "elsewhere", "--json")
    facts = json.loads(result.stdout)
    assert facts["recipe"] == "naive_baseline"
    assert facts["out_dir"] == "elsewhere"
    assert facts["code_bytes"] == (tmp_path / "elsewhere" / "train_gpt.py").stat().st_size
    assert facts["readable_bytes"] == (tmp_path / "elsewhere" / "train_gpt_readable.py").stat().st_size
    assert facts["sha256"] == json.loads((tmp_path / "elsewhere" / "bundle.json").read_text())["sha256"]["train_gpt.py"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["naive_baselin"], "did you mean naive_baseline"),
        (["missing.toml"], "found none at missing.toml"),
        (["naive_baseline", "-o", "taken"], "taken"),
    ],
)
def test_errors_are_one_line(invoke, tmp_path, arguments, expected):
    (tmp_path / "taken").write_text("a file")
    result = invoke(*arguments)
    assert result.exit_code in (1, 2)
    assert expected in result.output
    assert "Traceback" not in result.output
    assert (tmp_path / "taken").read_text() == "a file"
    assert not (tmp_path / "build").exists()
