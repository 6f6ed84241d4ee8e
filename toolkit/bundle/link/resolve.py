"""From an entry module to all modules it needs, in the order in which Python would execute them."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import GolfError

COMPONENTS = "toolkit.components"
SETTINGS = ("config", "settings")  # modules and packages whose values become literals: none of them is in a script
COMPONENTS_DIR = Path(__file__).resolve().parents[2] / "components"


@dataclass(frozen=True)
class Module:
    """One component file. `name` is what follows `toolkit.components.`."""

    name: str
    where: str  # its path as messages show it
    text: str
    tree: ast.Module = field(repr=False)


def is_settings(name: str) -> bool:
    """Whether a component, by its dotted name, holds settings."""
    return name.partition(".")[0] in SETTINGS


def read_folder(folder: Path) -> list[Module]:
    """Every file below a folder of components, by dotted name; the one of a package ends in `__init__`."""
    paths = sorted(folder.rglob("*.py"))
    return [read_module(path, ".".join(path.relative_to(folder).with_suffix("").parts)) for path in paths]


def read_module(path: Path, name: str) -> Module:
    """Parse a component; `GolfError` with file and line if it cannot be."""
    where = _shown(path)
    try:
        text = path.read_text(encoding="utf-8")
        return Module(name, where, text, ast.parse(text))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise GolfError(f"{where}{line}: expected Python source, found: {error}") from None


def read_modules(entry: str, components_dir: Path = COMPONENTS_DIR) -> list[Module]:
    """The entry module and all it imports, imported ones first. A cycle is an error that names every place in it."""
    done: dict[str, Module] = {}
    trail: dict[str, str] = {}  # module being read -> the import that asked for it

    def read(name: str, wanted_by: str) -> None:
        if name in trail:
            cycle = [*list(trail.values())[list(trail).index(name) + 1 :], wanted_by]
            raise GolfError(f"components: expected no import cycle, found: {', '.join(cycle)}; split one of them")
        if name in done:
            return
        path = components_dir / (name.replace(".", "/") + ".py")
        if not path.is_file():
            raise GolfError(f"{wanted_by}: expected that component as a file, found none at {_shown(path)}")
        module = read_module(path, name)
        trail[name] = wanted_by
        for imported, node in own_imports(module.tree):
            if not is_settings(imported):
                read(imported, f"{module.where}:{node.lineno} imports {imported}")
        del trail[name]
        done[name] = module

    read(entry, f"entry {entry}")
    return list(done.values())


def own_imports(tree: ast.Module) -> Iterator[tuple[str, ast.ImportFrom]]:
    """The imports of ours in a module, each with what it imports from, without `toolkit.components.`."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(COMPONENTS + "."):
            yield (node.module or "").removeprefix(COMPONENTS + "."), node


def _shown(path: Path) -> str:
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)
