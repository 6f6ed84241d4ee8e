"""`golf pack`: a file, a table or an object, and one-line errors."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli.main import golf
from toolkit.unpack.unpack import unpack

PROGRAM = "import os\nimport math\nWIDTH = int(os.environ.get('WIDTH', '4'))\n" + "".join(
    f"def function_{i}(argument):\n    return argument * {i} + WIDTH\nprint(function_{i}({i}))\n" for i in range(40)
)


@pytest.fixture(autouse=True)
def _folder_of_one_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train_gpt.py").write_text(PROGRAM)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(golf, ["pack", *arguments])


def test_default_file_and_table(tmp_path: Path) -> None:
    result = invoke("train_gpt.py")
    assert result.exit_code == 0, result.output
    packed = (tmp_path / "train_gpt_packed.py").read_bytes()
    for text in ("train_gpt_packed.py", f"{len(packed):,}", f"{len(PROGRAM):,}", "dropped, as nothing uses them: math"):
        assert text in result.output
    assert unpack(packed).source.count("def ") == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train_gpt.py", "train_gpt_packed.py"]


def test_object_encoding_and_define(tmp_path: Path) -> None:
    result = invoke("train_gpt.py", "-o", "out.py", "--define", "WIDTH=7", "--encoding", "latin1", "--json")
    facts = json.loads(result.stdout)
    packed = (tmp_path / "out.py").read_bytes()
    assert facts["code_bytes"] == len(packed)
    assert facts["file_bytes"] == facts["source_bytes"] == len(PROGRAM)
    assert facts["dropped"] == ["WIDTH", "math", "os"]
    assert (facts["layers"], facts["blockers"]) == ([], [])
    assert "environ" not in unpack(packed).source


def test_blockers_are_listed(tmp_path: Path) -> None:
    (tmp_path / "train_gpt.py").write_text("def f(a):\n    return eval(a)\n")
    assert "line 2: eval() keeps the names of its function and all global names" in invoke("train_gpt.py").output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.py"], "missing.py"),
        (["train_gpt.py", "--define", "WIDTH"], "expected NAME=VALUE, found 'WIDTH'"),
        (["train_gpt.py", "--define", "WIDHT=1"], "train_gpt.py: --define WIDHT: expected an environment variable"),
        (["train_gpt.py", "--encoding", "base64"], "base64"),
        (["broken.py"], "broken.py: script: expected Python source, found: invalid syntax in line 1"),
        (["train_gpt.py", "-o", "missing/out.py"], "missing"),
    ],
)
def test_errors_write_nothing(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "broken.py").write_text("x = = 1")
    result = invoke(*arguments)
    assert result.exit_code in (1, 2)
    assert expected in result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.py", "train_gpt.py"]
