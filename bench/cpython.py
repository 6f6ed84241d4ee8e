"""CPython's own test files as the oracle of `golf pack`: packed, each runs the same tests with the same outcome.

Every `test_[a-m]*.py` of an interpreter's `test` package that runs as a program is run as it is and packed. Packing
happens under the Python that runs this; `--python` runs the programs, and its test files are taken.
"""

import argparse
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

from bench.judge import Judge, Program, Run, judge_all, report

_IS_PROGRAM = re.compile(r"^if __name__ == ['\"]__main__['\"]", re.MULTILINE)
_COUNT = re.compile(r"^Ran (\d+) tests?", re.MULTILINE)
_RESULT = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \(.*\))?$", re.MULTILINE)


def says(run: Run) -> str | None:
    """Tests run, failures, errors and skips by unittest's last lines, and the exit code."""
    counts, results = _COUNT.findall(run.stderr + run.stdout), _RESULT.findall(run.stderr + run.stdout)
    if not counts or not results:
        return None if run.exit_code else "exit 0"
    return f"{'+'.join(counts)} tests {'+'.join(results)} exit {run.exit_code}"


def files_of(python: str, pattern: str) -> list[Path]:
    """Programs among the test files of an interpreter; none where it has no `test` package."""
    code = "import test; print(*test.__path__, sep='\\n')"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    folders = [Path(line) for line in done.stdout.split("\n") if line]
    files = [path for folder in folders for path in sorted(folder.glob("test_[a-m]*.py"))]
    return [
        path
        for path in files
        if fnmatch.fnmatch(path.stem, pattern) and _IS_PROGRAM.search(path.read_text("utf-8", "replace"))
    ]


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench cpython", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter whose test files are run")
    parser.add_argument("--match", default="*", help="pattern of names, such as test_c*")
    parser.add_argument("--keep", type=Path, help="folder of verdicts; what was equal is not judged again")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a run")
    parser.add_argument("--quick", action="store_true", help="pack without the search for the best compression")
    options = parser.parse_args(arguments)
    files = files_of(options.python, options.match)
    judge = Judge(options.python, says, limit=options.limit, quick=options.quick)
    report(judge_all(judge, {path.name: Program(path) for path in files}, options.keep, options.jobs))
