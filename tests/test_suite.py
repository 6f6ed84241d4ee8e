"""The tests themselves: who imports whom, and which of them covers which module of the toolkit."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
FILES = [path for path in sorted(TESTS.rglob("*.py")) if "form" not in path.parts]
MODULES = [path for path in sorted((ROOT / "toolkit").rglob("*.py")) if path.name != "__init__.py"]
COVERS: dict[str, dict[str, str]] = tomllib.loads((TESTS / "covers.toml").read_text())
ENTRIES = {TESTS / room / name: listed.split() for room, tests in COVERS.items() for name, listed in tests.items()}


def is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def place(module: str) -> Path:
    return ROOT.joinpath(*module.split("."))


def named(node: ast.AST, path: Path) -> Iterator[Path]:
    """Files and folders, without their endings, that a node of a file stands for: an import, the text of a module's
    name, or a file beside it. Where a name is made up of parts it may be any file of the folder.
    """
    match node:
        case ast.Import(names):
            yield from (place(alias.name) for alias in names)
        case ast.ImportFrom(str(module), names):
            yield place(module)
            yield from (place(f"{module}.{alias.name}") for alias in names)
        case ast.Constant(str(text)) if re.fullmatch(r"toolkit(\.\w+)+\.?", text):
            yield place(text.rstrip("."))
            yield from (file.with_suffix("") for file in place(text.rstrip(".")).glob("*.py"))
        case ast.Call(ast.Attribute(_, "with_name"), [ast.Constant(str(name))]):
            yield path.with_name(name).with_suffix("")
        case ast.Call(ast.Attribute(_, "with_name"), [ast.JoinedStr()]):
            yield from (file.with_suffix("") for file in path.parent.glob("*.py"))


@cache
def imports(path: Path) -> frozenset[Path]:
    """Files of ours that a file imports or runs."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for stem in named(node, path):
            found |= {stem.with_suffix(".py"), stem / "__init__.py"}
    if is_test(path):
        found |= {folder / "conftest.py" for folder in path.parents}
    return frozenset(file for file in found if file.is_file())


@cache
def reach(test: Path) -> frozenset[Path]:
    """All files that a test imports, at any distance."""
    found, left = set[Path](), [test]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += imports(file)
    return frozenset(found)


def covered_by_name(test: Path) -> set[Path]:
    """What a test covers without an entry: x.py by `test_x.py`, with its helpers, a command by `test_x_command.py`."""
    stem = test.stem.removeprefix("test_")
    given = imports(test).union(*(imports(file) for file in imports(test) if TESTS in file.parents))
    command = ROOT / "toolkit" / "cli" / f"{stem.removesuffix('_command')}.py"
    return {file for file in given if file.stem == stem} | ({command} if stem.endswith("_command") else set())


def covered_by_entry(name: str) -> set[Path]:
    """A module, or with `.*` the modules of a room and of the rooms in it."""
    stem = place(f"toolkit.{name.removesuffix('.*')}")
    return set(stem.rglob("*.py")) & set(MODULES) if name.endswith(".*") else {stem.with_suffix(".py")}


def test_no_test_imports_another() -> None:
    assert {path: seen for path in FILES if (seen := {file for file in imports(path) if is_test(file)})} == {}


def test_what_tests_share_lies_in_support() -> None:
    assert [f for f in FILES if TESTS / "support" not in f.parents and not is_test(f) and f.name != "conftest.py"] == []


def test_every_module_is_covered() -> None:
    named_so = set().union(*(covered_by_name(path) for path in FILES if is_test(path)))
    listed = set().union(*(covered_by_entry(name) for names in ENTRIES.values() for name in names))
    missing = [str(path.relative_to(ROOT)) for path in MODULES if path not in named_so | listed]
    assert missing == [], "covers.toml: expected the test that covers each of these"


@pytest.mark.parametrize("test", ENTRIES, ids=lambda test: test.name)
def test_what_a_test_is_said_to_cover_is_there_and_reached(test: Path) -> None:
    assert test.is_file()
    for name in ENTRIES[test]:
        modules = covered_by_entry(name)
        assert modules, f"covers.toml: nothing is left of {name}"
        assert modules - covered_by_name(test), f"covers.toml: {test.name} covers {name} by its name"
        assert modules <= reach(test), f"covers.toml: {test.name} does not come to {sorted(modules - reach(test))}"
