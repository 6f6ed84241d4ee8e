"""Programs that others wrote, run as they are and minified."""

import ast
import subprocess
import sys
from pathlib import Path

from toolkit.bundle.foreign.guards import Caution, Guards, find_guards
from toolkit.bundle.foreign.pack_script import minify_script
from toolkit.bundle.rewrite.scopes import find_bindings


def minified(source: str) -> str:
    return minify_script(ast.parse(source))[0]


def guards_of(source: str, *assumed: Caution) -> Guards:
    tree = ast.parse(source)
    return find_guards(tree, find_bindings(tree), frozenset(assumed))


def outcome(source: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a program; what it writes to the standard error may name lines."""
    path = folder / "train_gpt.py"
    path.write_text(source)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    return done.returncode, done.stdout


def assert_stays_the_same(source: str, folder: Path) -> None:
    expected = outcome(source, folder)
    assert expected[0] == 0
    assert expected[1]
    assert outcome(minified(source), folder) == expected
