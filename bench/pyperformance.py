"""The programs of pyperformance, packed and unpacked: `python -m bench pyperformance FOLDER [--python PATH]`.

FOLDER has the unpacked wheel (`pip download pyperformance --no-deps`), and the interpreter must have `pyperf`. Each
program runs its loop once; what needs more than the standard library and `pyperf` does not run and is skipped.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

from bench.judge import Judge, Program, Run, judge_all, report

_FIGURE = re.compile(r"[\d.]+ (?:ns|us|ms|sec)")


def says(run: Run) -> str | None:
    """What is printed, apart from times."""
    return _FIGURE.sub("_", run.stdout) if run.exit_code == 0 else None


def arguments_of(path: Path) -> tuple[str, ...]:
    described = tomllib.loads(path.with_name("pyproject.toml").read_text())
    return ("--debug-single-value", "--quiet", *described["tool"]["pyperformance"].get("extra_opts", ()))


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench pyperformance", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable, help="interpreter that runs the programs")
    parser.add_argument("--keep", type=Path, help="folder of verdicts; what was equal is not judged again")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="pack without the search for the best compression")
    options = parser.parse_args(arguments)
    paths = [path.with_name("run_benchmark.py") for path in sorted(options.folder.rglob("bm_*/pyproject.toml"))]
    programs = {path.parent.name: Program(path, arguments_of(path), with_folder=True) for path in paths}
    judge = Judge(options.python, says, quick=options.quick)
    report(judge_all(judge, programs, options.keep, options.jobs))
