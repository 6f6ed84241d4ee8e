"""`golf pack`: a file, a table or an object, and one-line errors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
        (["train_gpt.py", "-o", "."], "is a directory"),
        (["."], "is a directory"),
        (["train_gpt.py", "-o", "/dev/null"], "expected a file, found /dev/null"),
    ],
)
def test_errors_write_nothing(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "broken.py").write_text("x = = 1")
    result = invoke(*arguments)
    assert result.exit_code in (1, 2)
    assert expected in result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.py", "train_gpt.py"]


READER = PROGRAM + "import library\nlibrary.call(function_1)\nlibrary.call(**library.settings())\nprint(globals())\n"


def test_explain_says_what_was_proven_and_what_each_kind_of_caution_costs(tmp_path: Path) -> None:
    (tmp_path / "train_gpt.py").write_text(READER)
    facts = json.loads(invoke("train_gpt.py", "--explain", "--json").stdout)
    assert facts["form"] == "minified in a stub"
    assert facts["assumed"] == []
    assert len(facts["proven"]) == 3
    assert set(facts["caution_bytes"]) == {blocker["caution"] for blocker in facts["blockers"]}
    result = invoke("train_gpt.py", "--explain")
    for kind, num_bytes in facts["caution_bytes"].items():
        assert f"caution: {kind}, {num_bytes:,} bytes (--assume-{kind})" in result.output
    assert "form: minified in a stub" in result.output
    assert "proven: stub: " in result.output
    assert "  line 127: globals() keeps all global names" in result.output


@pytest.mark.parametrize("kind", ["positional", "literal-keys", "unread"])
def test_what_is_assumed_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "train_gpt.py").write_text(READER)
    careful = json.loads(invoke("train_gpt.py", "--explain", "--json").stdout)
    facts = json.loads(invoke("train_gpt.py", f"--assume-{kind}", "--json").stdout)
    assert facts["assumed"] == [kind]
    assert kind not in {blocker["caution"] for blocker in facts["blockers"]}
    if kind in careful["caution_bytes"]:
        assert careful["code_bytes"] - facts["code_bytes"] == careful["caution_bytes"][kind]
    assert f"assumed at your word, not proven: {kind}" in invoke("train_gpt.py", f"--assume-{kind}").output


def test_kinds_are_assumed_together() -> None:
    facts = json.loads(invoke("train_gpt.py", "--assume-unread", "--assume-positional", "--json").stdout)
    assert facts["assumed"] == ["positional", "unread"]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_the_script_is_never_written_over(tmp_path: Path, link: Callable[[str, str], None] | None) -> None:
    if link:
        link("train_gpt.py", "link.py")
    result = invoke("train_gpt.py", "-o", "link.py" if link else "./train_gpt.py")
    assert result.exit_code == 2
    assert "expected another file than SCRIPT" in result.output
    assert (tmp_path / "train_gpt.py").read_text() == PROGRAM


def test_a_link_is_packed_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.py").symlink_to(tmp_path / "train_gpt.py")
    assert invoke("links/a.py").exit_code == 0
    assert (tmp_path / "links" / "a_packed.py").is_file()


def golf_pack(*arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose standard input can be a pipe."""
    command = [sys.executable, "-c", "from toolkit.cli.main import golf; golf()", "pack", *arguments]
    return subprocess.run(command, input=script, capture_output=True, text=True)


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="this system has no file for its standard input")
def test_a_pipe_needs_a_file_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    result = golf_pack("/dev/stdin", script=PROGRAM)
    assert result.returncode == 2
    assert "expected it, since /dev/stdin is no file" in result.stderr
    assert golf_pack("/dev/stdin", "-o", "out.py", script=PROGRAM).returncode == 0
    assert unpack((tmp_path / "out.py").read_bytes()).layers


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_nothing_but_a_file_is_written_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = invoke("train_gpt.py", "-o", "pipe")
    assert (result.exit_code, "expected a file, found pipe" in result.output) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything")
def test_what_may_not_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o500)
    assert invoke("train_gpt.py", "-o", "closed/out.py").exit_code == 1
    (tmp_path / "train_gpt.py").chmod(0)
    assert invoke("train_gpt.py").exit_code == 2
