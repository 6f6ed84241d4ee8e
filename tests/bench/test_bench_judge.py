"""The judge of packed programs: what counts as equal, and what as a failure of the packer."""

import sys
from pathlib import Path

import pytest

from bench import cpython, judge
from bench.judge import DIFFERENT, EQUAL, REFUSED, SKIPPED, SYNTAX, TRACEBACK, Judge, Program, Run, Verdict
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError


def printed(run: Run) -> str:
    return run.stdout


PRINTER = Judge(sys.executable, printed, limit=10)


def verdict_on(source: str, folder: Path, using: Judge = PRINTER) -> Verdict:
    path = folder / "program.py"
    path.write_text(source)
    return judge.judge_program(using, "program", Program(path))


def pack_as(monkeypatch: pytest.MonkeyPatch, result: str | Exception) -> None:
    """Packing anything gives a certain program, or raises."""

    def packed(data: bytes) -> object:
        if isinstance(result, Exception):
            raise result
        return pack_script(result.encode())

    monkeypatch.setattr(judge, "pack_script", packed)


def test_a_packed_program_that_says_the_same(tmp_path: Path) -> None:
    assert verdict_on("import sys\nprint(sys.argv[0], 1)", tmp_path).kind == EQUAL


@pytest.mark.parametrize(
    ("result", "kind"),
    [("print(2)", DIFFERENT), (GolfError("no"), REFUSED), (KeyError("x"), TRACEBACK)],
    ids=["different", "refused", "traceback"],
)
def test_what_the_packer_does_wrong(
    result: str | Exception, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_as(monkeypatch, result)
    assert verdict_on("print(1)", tmp_path).kind == kind


def test_what_never_says_the_same_is_not_held_against_the_packer(tmp_path: Path) -> None:
    """It differs once: the program counts its runs in a file."""
    counter = tmp_path / "runs"
    source = (
        f"import pathlib\nruns = pathlib.Path({str(counter)!r})\n"
        "count = len(runs.read_text()) if runs.exists() else 0\n"
        "runs.write_text('x' * (count + 1))\nprint(min(count, 1))\n"
    )
    assert verdict_on(source, tmp_path).kind == EQUAL


def test_what_does_not_run_says_nothing(tmp_path: Path) -> None:
    assert verdict_on("", tmp_path).kind == SKIPPED
    assert verdict_on("while True: pass", tmp_path, Judge(sys.executable, lambda run: "ran", limit=0.5)).kind == SKIPPED


def test_syntax_that_only_a_newer_python_knows(tmp_path: Path) -> None:
    runs_anything = Judge(sys.executable, lambda run: "ran")
    assert verdict_on("type X = int", tmp_path, runs_anything).kind == SYNTAX


def test_what_was_equal_is_not_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "program.py"
    path.write_text("print(1)")
    programs = {"good": Program(path), "bad": Program(path)}
    kept = tmp_path / "kept"
    kinds = [verdict.kind for verdict in judge.judge_all(PRINTER, {"good": programs["good"]}, kept, 1)]
    pack_as(monkeypatch, GolfError("no"))
    kinds += [verdict.kind for verdict in judge.judge_all(PRINTER, programs, kept, 1)]
    assert kinds == [EQUAL, EQUAL, REFUSED]


@pytest.mark.parametrize(
    ("stderr", "exit_code", "said"),
    [
        ("..\nRan 2 tests in 0.1s\n\nOK\n", 0, "2 tests OK exit 0"),
        ("Ran 1 test in 0.1s\n\nFAILED (failures=1, skipped=2)\n", 1, "1 tests FAILED (failures=1, skipped=2) exit 1"),
        ("Traceback (most recent call last):\nunittest.case.SkipTest: no\n", 1, None),
        ("", 0, "exit 0"),
    ],
)
def test_what_unittest_says(stderr: str, exit_code: int, said: str | None) -> None:
    assert cpython.says(Run(exit_code, "", stderr)) == said


def test_files_of_an_interpreter_are_programs() -> None:
    files = cpython.files_of(sys.executable, "test_[bh]*")
    assert all(path.name.startswith(("test_b", "test_h")) for path in files)
    assert files or not cpython.files_of(sys.executable, "*")
