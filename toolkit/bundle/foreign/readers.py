"""What a program reads of itself while it runs: `readers.toml`, applied.

Covered are names that lead to a reader through any import, attributes that hold what can be read, literal strings that
name such an attribute, fields of log formats, and errors whose texts hold names. Not covered is what only goes to the
standard error, or to a log, such as the traceback of an exception: it shows the packed program. Nor are errors that
Python raises about the program, where they are caught under a general name such as `Exception`; how deep calls may go,
and which modules of the standard library are loaded, where a stub adds to both.
"""

import ast
import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from toolkit.bundle.foreign.program import Program

_LOOKUPS = {"getattr", "hasattr", "isinstance", "setattr"}


class Effect(StrEnum):
    """What can be read of a program; the value is the word in `readers.toml`."""

    NAMES = "names"
    PARAMETERS = "parameters"
    ANNOTATIONS = "annotations"
    DOCS = "docs"
    MODULE_DOCS = "module docs"
    GLOBALS = "globals"
    LOCALS = "locals"
    LINES = "lines"
    FRAMES = "frames"
    FILE = "file"
    FUTURE = "future"
    CLASSES = "classes"


@dataclass(frozen=True)
class Read:
    """A construct that reads something, and what."""

    line: int
    construct: str
    effects: frozenset[Effect]


@functools.cache
def tables() -> dict[str, Any]:
    """`readers.toml`: what names, attributes and texts read."""
    return tomllib.loads(Path(__file__).with_name("readers.toml").read_text("utf-8"))


def find_reads(program: Program) -> list[Read]:
    """Everything that reads something of the program, in the order of the text."""
    found = [
        Read(getattr(node, "lineno", 1), construct, frozenset(map(Effect, effects)))
        for node in program.nodes
        for construct, effects in (
            *_by_name(program, node),
            *_by_attribute(program, node),
            *_by_error(program, node),
            *_by_text(node),
        )
        if effects
    ]
    return sorted(found, key=lambda read: read.line)


def effects_of(name: str) -> list[str]:
    """What a dotted name reads. Those in capitals are constants, which read nothing."""
    names = tables()["names"]
    module, _, last = name.rpartition(".")
    effects: list[str] = names.get(name, [] if last.isupper() else names.get(f"{module}.*", []))
    return effects


def _by_name(program: Program, node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    match node:
        case ast.ImportFrom(module="__main__"):
            yield "from __main__ import", tables()["names"]["__main__"]
        case ast.Call(func=func, args=[argument, *_]) if program.is_import(func) and not _is_text(argument):
            yield ast.unparse(node), tables()["names"]["__main__"]
        case ast.Name() | ast.Attribute() | ast.Call() | ast.Subscript():
            yield from _by_origin(program, node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _by_origin(program: Program, node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    parent = program.parents.get(node)
    for name in sorted(program.origins(node)):
        is_argv = name == "sys.argv" and not _is_plain_argument(program, node, parent)
        if is_argv:
            yield "sys.argv", [Effect.FILE]
        elif (effects := effects_of(name)) and not _is_harmless(program, node, parent, name):
            yield name, effects
        elif not isinstance(parent, ast.Attribute):
            yield name, _of_all_inside(program, name, parent)


def _of_all_inside(program: Program, module: str, parent: ast.AST | None) -> list[str]:
    """What a module reads that is handed on; where one of its attributes is looked up, only what that may be."""
    is_lookup = False
    if isinstance(parent, ast.Call) and program.origins(parent.func) & _LOOKUPS:
        match parent.args:
            case [_, ast.Constant(value=str(name)), *_]:
                return effects_of(f"{module}.{name}")
        is_lookup = True
    found: set[str] = set()
    for name, effects in tables()["names"].items():
        inner = name.removeprefix(f"{module}.")
        if inner != name and not (is_lookup and "." in inner):
            found.update(effects)
    return sorted(found)


def _is_plain_argument(program: Program, node: ast.AST, parent: ast.AST | None) -> bool:
    """Whether `sys.argv` is only asked for what follows its first item."""
    match parent:
        case ast.Subscript(slice=ast.Constant(value=int(index))):
            return index > 0
        case ast.Subscript(slice=ast.Slice(lower=ast.Constant(value=int(index)))):
            return index > 0
        case ast.Call(func=ast.Name(id="len")):
            return True
        case ast.Compare(comparators=[container]):
            return container is node
    return False


def _is_harmless(program: Program, node: ast.AST, parent: ast.AST | None, name: str) -> bool:
    """Whether a reader is called for something foreign, or only writes to the standard error."""
    if not isinstance(parent, ast.Call) or parent.func is not node:
        is_asked = isinstance(parent, ast.Compare) or bool(program.origins(parent))  # for one module by its name
        return name == "sys.modules" and is_asked
    if parent.args and all(program.is_foreign(argument) for argument in parent.args):
        return True
    if recorder := tables()["recorders"].get(name):
        return not parent.args and all(item.arg not in (recorder, None) for item in parent.keywords)
    most = tables()["printers"].get(name)
    is_alone = isinstance(program.parents.get(parent), ast.Expr)
    is_silent = most is not None and len(parent.args) <= most and all(item.arg != "file" for item in parent.keywords)
    return is_silent and is_alone and not _redirects_errors(program)


def _redirects_errors(program: Program) -> bool:
    for node in program.nodes:
        if isinstance(node, (ast.Name, ast.Attribute)):
            origins = program.origins(node)
            if "contextlib.redirect_stderr" in origins:
                return True
            if "sys.stderr" in origins and isinstance(node.ctx, ast.Store):
                return True
    return False


def _by_attribute(program: Program, node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    table = tables()["attributes"]
    match node:
        case ast.Attribute(attr=name) if name in table:
            if not (name in ("__name__", "__qualname__") and _is_class(program, node.value)) and not (
                program.is_foreign(node)
            ):
                yield name, table[name]
        case ast.Name(id="__annotations__" as name):  # of the module or of a class body
            yield name, [*table[name], Effect.GLOBALS]
        case ast.Constant(value=str(name)) if name in table and name.startswith(("__", "co_", "f_", "gi_", "tb_")):
            yield name, table[name]
        case ast.keyword(arg="stack_info"):
            yield "stack_info", table["stack_info"]


def _is_class(program: Program, node: ast.AST) -> bool:
    """Whether an expression is a class for sure: these keep their names anyway."""
    match node:
        case ast.Call(func=ast.Name(id="type") as function, args=[_]):
            return program.origins(function) == {"type"}
        case ast.Attribute(attr="__class__"):
            return True
        case ast.Name():
            targets = program.targets(node)
            return bool(targets) and all(isinstance(target, ast.ClassDef) for target in targets)
    return False


def _by_error(program: Program, node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    table = tables()["errors"]
    match node:
        case ast.ExceptHandler(type=ast.expr() as kinds, name=str(name)):
            if any(node in program.enclosing(read) for read in program.reads(program.binding[node])):
                for kind in kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]:
                    for error in program.origins(kind):
                        yield f"except {error} as {name}", table.get(error, [])
        case ast.Name() | ast.Attribute() if _is_handed_on(program, node):
            for error in program.origins(node):
                yield error, table.get(error, [])


def _is_handed_on(program: Program, node: ast.AST) -> bool:
    """Whether a class of errors goes where one may be caught or told apart, and looked at; a handler shows that."""
    parent = program.parents.get(node)
    while isinstance(parent, ast.Tuple):
        node, parent = parent, program.parents.get(parent)
    if isinstance(parent, ast.Call):
        return parent.func is not node and "contextlib.suppress" not in program.origins(parent.func)
    return not isinstance(parent, (ast.Attribute, ast.ClassDef, ast.ExceptHandler, ast.Raise))


def _by_text(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for field, effects in tables()["texts"].items():
            if field in node.value:
                yield field, effects
