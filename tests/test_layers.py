"""Who imports whom: the layers that `layers.toml` lists, against the imports of every module of the toolkit."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from toolkit.check.rulebook.ruleset import all_rules
from toolkit.components.settings.evaluate import MIXERS, SCORERS
from toolkit.probe.cheats.cheat import CHEATS

ROOT = Path(__file__).parents[1]
RULES = tomllib.loads(Path(__file__).with_name("layers.toml").read_text())
LAYERS: dict[str, list[str]] = RULES["layers"]


def read_modules() -> dict[str, ast.Module]:
    """Every module and package of the toolkit by its dotted name."""
    found = {}
    for path in sorted((ROOT / "toolkit").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


MODULES = read_modules()
PACKAGES = {name.rpartition(".")[0] for name in MODULES if "." in name}


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports at any depth, without those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from statements(node)


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and line of every module that is imported."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
            continue
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            yield full if full in MODULES else str(node.module), node.lineno


IMPORTS = {name: list(imported(tree)) for name, tree in MODULES.items()}
OURS = {name: {other for other, _ in found if other in MODULES} for name, found in IMPORTS.items()}


def child(module: str, folder: str) -> str:
    """The file or room of a folder that a module lies in."""
    return module.removeprefix(f"{folder}.").partition(".")[0]


def crossings(folder: str) -> Iterator[tuple[str, str, str]]:
    """Every import from one file or room of a folder to another: the two, and where it stands with what it names."""
    for module, found in IMPORTS.items():
        for other, line in found:
            if module.startswith(f"{folder}.") and other.startswith(f"{folder}."):
                ours, theirs = child(module, folder), child(other, folder)
                if ours != theirs:
                    yield ours, theirs, f"{module}:{line} imports {other}"


def is_program(name: str) -> bool:
    """Is a module one that Python runs, not one that others import?"""
    guards = [ast.unparse(stmt.test) for stmt in MODULES[name].body if isinstance(stmt, ast.If)]
    return "__name__ == '__main__'" in guards


@pytest.mark.parametrize("folder", sorted({name.rpartition(".")[0] for name in PACKAGES if "." in name}))
def test_every_room_stands_on_a_layer(folder: str) -> None:
    named = {name for line in LAYERS.get(folder, ()) for name in line.split()}
    there = {child(module, folder) for module in MODULES if module.startswith(f"{folder}.")}
    assert named - there - {"*"} == set(), f"layers.toml: {folder} holds nothing of this name"
    assert "*" in named or there - named == set(), f"layers.toml: expected a layer of {folder} for each of these"


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_run_downward(folder: str) -> None:
    level = {name: number for number, line in enumerate(LAYERS[folder]) for name in line.split()}
    upward = []
    for ours, theirs, where in crossings(folder):
        if ours not in level and theirs not in level:
            continue  # both among the files that `*` stands for
        if level.get(theirs, level.get("*", -1)) >= level.get(ours, level.get("*", len(level))):
            upward.append(f"{where}: {theirs} does not stand below {ours}")
    assert not upward, "\n".join(upward)


def test_rooms_that_stand_apart() -> None:
    apart = {room: names.split() for room, names in RULES["apart"].items()}
    found = [where for ours, theirs, where in crossings("toolkit") if theirs in apart.get(ours, ())]
    assert not found, "\n".join(found)


def test_packages_of_others() -> None:
    allowed = {room: names.split() for room, names in RULES["packages"].items()}
    found = [
        f"{module}:{line} imports {other}"
        for module, imports in IMPORTS.items()
        for other, line in imports
        if (package := other.partition(".")[0]) not in {"toolkit", *sys.stdlib_module_names}
        and package not in allowed.get(child(module, "toolkit"), ())
    ]
    assert not found, "\n".join(found)


def test_no_circle_of_modules() -> None:
    try:
        TopologicalSorter(OURS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_imports_are_absolute() -> None:
    """What is relative would be seen by none of these tests."""
    relative = [n for n, t in MODULES.items() for s in statements(t) if isinstance(s, ast.ImportFrom) and s.level]
    assert relative == []


def test_a_package_holds_no_code() -> None:
    """Its own file is empty, or says what lies in it and passes a few names on."""
    for name in PACKAGES & MODULES.keys():
        for stmt in MODULES[name].body:
            says = isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)
            lists = isinstance(stmt, ast.Assign) and ast.unparse(stmt.targets[0]) == "__all__"
            assert says or lists or isinstance(stmt, ast.ImportFrom), f"{name}:{stmt.lineno}"


def test_no_module_is_left_over() -> None:
    """Each is imported by another, run as a program, or found by a name in the toolkit's own data."""
    used = {other for name, others in OURS.items() for other in others - {name}}
    used |= {f"toolkit.check.evidence.{rule.predicate}" for rule in all_rules()}
    used |= {f"toolkit.probe.cheats.{cheat.name}" for cheat in CHEATS}
    used |= {f"toolkit.probe.steps.{name}" for name in (*SCORERS, *MIXERS)}
    used |= {"toolkit.cli.main", "toolkit.run.witness"}  # the command, and a file that a sandbox copies
    assert {name for name in MODULES.keys() - PACKAGES - used if not is_program(name)} == set()


def test_what_needs_no_torch() -> None:
    rooms = RULES["without"]["torch"].split()
    names = [name for name in MODULES if child(name, "toolkit") in rooms and not is_program(name)]
    code = "import importlib, sys; sys.modules['torch'] = sys.modules['sentencepiece'] = None\n"
    code += "for name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
