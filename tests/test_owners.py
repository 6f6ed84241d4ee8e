"""One owner for every fact: each search looks through all of the source and must find the owner, and nobody else."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit import folders
from toolkit.check.rulebook.limits import train_limit_seconds
from toolkit.components.config import Config

ROOT = Path(__file__).parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in ("toolkit", "bench")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".toml", ".j2")
}
NODES = {name: list(ast.walk(ast.parse(text))) for name, text in FILES.items() if name.endswith(".py")}
FILE_NAMES = {value for name, value in vars(folders).items() if name.endswith("_NAME") and "." in str(value)}


def replaces_a_file(node: ast.AST) -> bool:
    """`os.replace(a, b)` or `path.replace(other)`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    function = ast.unparse(node.func)
    of_a_path = node.func.attr == "replace" and function != "self.replace" and len(node.args) == 1 and not node.keywords
    return function == "os.replace" or of_a_path


def names_a_file(node: ast.AST) -> bool:
    """A string that is, or ends in, the name of a file of builds, runs or records."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and not re.search(r"\s", node.value) and node.value.rpartition("/")[2] in FILE_NAMES  # type: ignore[attr-defined]


def is_text(*texts: str) -> Callable[[ast.AST], bool]:
    return lambda node: isinstance(node, ast.Constant) and node.value in texts


def compares(attribute: str) -> Callable[[ast.AST], bool]:
    """A comparison of something with this name, or of this key with what holds it."""

    def search(node: ast.AST) -> bool:
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        return any(ast.unparse(side).endswith((f".{attribute}", f"'{attribute}'")) for side in sides)

    return search


OWNERS: dict[str, tuple[Callable[[ast.AST], bool], set[str]]] = {
    # An artifact is written by the script itself, which stands alone.
    "atomic writing": (replaces_a_file, {"toolkit/folders.py", "toolkit/components/main.py"}),
    "names of files": (names_a_file, {"toolkit/folders.py", "toolkit/components/setup/environment.py"}),
    "training clock": (is_text("stop_ms", "calibrated_ms", "validation_ms"), {"toolkit/run/runlog.py"}),
    "written by us": (compares("bundle_sha256"), set()),  # RunLog.script_sha256 and Subject.named_scripts tell
    "significance": (compares("p_value"), {"toolkit/check/statistics/compare.py"}),
}
SECOND_OWNERS = {
    "atomic writing": "partial.replace(path)",
    "names of files": 'folder / "train_gpt.py"',
    "training clock": 'log.number("stop_ms")',
    "written by us": '"bundle_sha256" in log.facts',
    "significance": "test.p_value < 0.01",
}


@pytest.mark.parametrize("fact", OWNERS)
def test_a_second_owner_would_be_found(fact: str) -> None:
    assert any(map(OWNERS[fact][0], ast.walk(ast.parse(SECOND_OWNERS[fact]))))


@pytest.mark.parametrize("fact", OWNERS)
def test_a_fact_has_one_owner(fact: str) -> None:
    search, owners = OWNERS[fact]
    assert {name for name, nodes in NODES.items() if any(map(search, nodes))} == owners


def test_the_cap_stands_in_the_rulebook() -> None:
    found = {name for name, text in FILES.items() if re.search(r"\b16_?000_?000\b", text)}
    assert found == {"toolkit/check/rulebook/rules/2026-05-02_common.toml"}
    assert FILES[found.pop()].count("cap_bytes =") == 1


def test_a_limit_of_seconds_stands_in_its_rule() -> None:
    """Training and evaluation have one each. Recipes train for as long as is allowed, unless they say otherwise."""
    found = {name: text.count("limit_seconds =") for name, text in FILES.items() if "limit_seconds =" in text}
    assert found == {"toolkit/check/rulebook/rules/2026-05-02_common.toml": 2}
    assert Config().train.max_wallclock_seconds == train_limit_seconds()
