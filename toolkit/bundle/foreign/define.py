"""Fix settings of a script that we did not write, so that what they decide can be folded and dropped.

A setting is an environment variable (`os.environ.get`, `os.environ[...]`, `os.getenv` and `in os.environ`, by a literal
name) or a constant that the top level binds once. What becomes a literal is carried to its uses: names of the module,
and attributes of a class that holds settings, read from the class itself, from variables that only ever hold one of its
objects, and from parameters that are only ever given such a variable. Reading attributes is taken to have no effect.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.bundle.rewrite.scopes import Binding, find_bindings, parameters
from toolkit.bundle.rewrite.signatures import all_read, sole_definition
from toolkit.bundle.rewrite.simplify import simplify
from toolkit.errors import GolfError, did_you_mean
from toolkit.syntax.constants import is_literal, is_literal_value, literal
from toolkit.syntax.unparse import unparse

_READERS = {"os.environ.get", "os.getenv", "environ.get", "getenv"}
_ENVIRONMENTS = {"os.environ", "environ"}
_WRITERS = {"os.putenv", "os.unsetenv"} | {
    f"{base}.{method}" for base in _ENVIRONMENTS for method in ("setdefault", "pop", "__setitem__", "__delitem__")
}
_Key = tuple[str, str]  # (class, or "" for the module; name)


def define(tree: ast.Module, values: Mapping[str, str]) -> ast.Module:
    """The program under settings, as a new tree; `GolfError` for a setting that it does not have."""
    for name, node in _written(tree):
        if name in values:
            raise GolfError(
                f"--define {name}: expected a setting that the program only reads, found {ast.unparse(node)} in line "
                f"{node.lineno}; set it in the environment instead"
            )
    already_literal = _literals(tree).keys() - {("", name) for name in values}
    fixing = _Fix(tree, values)
    tree = fixing.visit(tree)
    for name in values:
        if name not in fixing.found:
            hint = did_you_mean(name, fixing.names)
            raise GolfError(f"--define {name}: expected an environment variable or a constant, found none{hint}")
    while True:
        tree = ast.parse(simplify(unparse(ast.fix_missing_locations(tree))))
        found = {key: value for key, value in _literals(tree).items() if key not in already_literal}
        spread = _Spread(tree, found)
        tree = spread.visit(tree)
        if not spread.replaced:
            return tree


class _Fix(ast.NodeTransformer):
    """Puts values in the place of environment reads and constants; `names` collects all that could be fixed."""

    def __init__(self, tree: ast.Module, values: Mapping[str, str]) -> None:
        self.values = values
        self.names: set[str] = {name for scope, name in _literals(tree) if not scope}
        self.constants = [stmt for stmt in tree.body if _assigned(stmt) in self.names]
        self.found: set[str] = set()

    def fixed(self, node: ast.expr, name: str, value: str | bool | None) -> ast.expr:
        self.names.add(name)
        if name not in self.values:
            return node
        self.found.add(name)
        return ast.copy_location(ast.Constant(value), node)

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> ast.AST:
        name = _assigned(node) if node in self.constants else ""
        if name in self.values:
            self.found.add(name)
            node.value = _parsed(self.values[name])
            return node
        return self.generic_visit(node)

    visit_AnnAssign = visit_Assign

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if ast.unparse(func) in _READERS:
                return self.fixed(node, name, self.values.get(name))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=base, slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                return self.fixed(node, name, self.values.get(name)) if ast.unparse(base) in _ENVIRONMENTS else node
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Compare(
                left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn() as op], comparators=[base]
            ):
                return self.fixed(node, name, isinstance(op, ast.In)) if ast.unparse(base) in _ENVIRONMENTS else node
        return node


def _written(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Environment variables that the program itself sets or removes, and where."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=base, slice=ast.Constant(value=str(name)), ctx=ast.Store() | ast.Del()):
                if ast.unparse(base) in _ENVIRONMENTS:
                    yield name, node
            case ast.Call(func=ast.Attribute() as func, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(func) in _WRITERS:
                    yield name, node


def _parsed(text: str) -> ast.expr:
    """A value as Python writes it, or else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    return ast.parse(literal(value if is_literal_value(value) else text), mode="eval").body


def _assigned(stmt: ast.stmt) -> str:
    """The name that a plain assignment binds."""
    match stmt:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return name
    return ""


def _literals(tree: ast.Module) -> dict[_Key, ast.expr]:
    """Names of the module and attributes of its classes that are bound once, to a literal."""
    scopes = [("", tree.body), *((node.name, node.body) for node in tree.body if isinstance(node, ast.ClassDef))]
    found: dict[_Key, ast.expr] = {}
    for scope, body in scopes:
        bound = [_assigned(stmt) for stmt in body]
        for stmt, name in zip(body, bound, strict=True):
            if name and bound.count(name) == 1 and is_literal(stmt.value):  # type: ignore[attr-defined]
                found[scope, name] = stmt.value  # type: ignore[attr-defined]
    stored = set(_stored_attributes(tree))
    rebound = {b.name for b in find_bindings(tree) if b.scope and b.scope.node is tree and not _is_bound_once(b)}
    return {key: value for key, value in found.items() if key[1] not in (stored if key[0] else rebound)}


def _is_bound_once(binding: Binding) -> bool:
    return all_read([mention.node for mention in binding.mentions[1:]])


def _stored_attributes(tree: ast.Module) -> Iterator[str]:
    """Attributes that something may set from outside of a class body, by statement or by `setattr`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[_, ast.Constant(value=str(name)), *_]):
                yield name
            case ast.Name(id="setattr" | "delattr") | ast.Attribute(attr="__dict__"):
                # Any name may be set: none of those that the program mentions as text or reads is safe.
                if not _sets_literal_names(tree):
                    yield from (n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute))


def _sets_literal_names(tree: ast.Module) -> bool:
    named = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in ("setattr", "delattr")]
    literal_calls = [
        n.func
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and len(n.args) > 1 and isinstance(n.args[1], ast.Constant)
    ]
    has_dict = any(isinstance(n, ast.Attribute) and n.attr == "__dict__" for n in ast.walk(tree))
    return not has_dict and all(node in literal_calls for node in named)


class _Spread(ast.NodeTransformer):
    """Puts literals in the place of names and attributes that stand for them."""

    def __init__(self, tree: ast.Module, found: dict[_Key, ast.expr]) -> None:
        self.found = found
        self.replaced = 0
        bindings = find_bindings(tree)
        self.globals = {m.node for b in bindings if b.scope and b.scope.node is tree for m in b.mentions}
        self.holders: dict[ast.AST, str] = {}  # mention of a name that holds a class or an object of it -> class
        for name in {scope for scope, _ in found if scope}:
            for binding in _holders(tree, bindings, name):
                self.holders |= {mention.node: name for mention in binding.mentions}

    def literal(self, node: ast.expr, key: _Key) -> ast.expr:
        if key not in self.found:
            return node
        self.replaced += 1
        return ast.copy_location(self.found[key], node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        is_read = isinstance(node.ctx, ast.Load) and node in self.globals
        return self.literal(node, ("", node.id)) if is_read else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.value in self.holders and isinstance(node.ctx, ast.Load):
            return self.literal(node, (self.holders[node.value], node.attr))
        return self.generic_visit(node)


def _holders(tree: ast.Module, bindings: list[Binding], name: str) -> list[Binding]:
    """Bindings that only ever mean a class or an object of it: the class, variables, and parameters that get those."""
    (owner,) = [b for b in bindings if b.name == name and b.scope and b.scope.node is tree]
    definition, _ = sole_definition(owner)
    if not isinstance(definition, ast.ClassDef) or definition.bases or definition.decorator_list:
        return []
    assignments = {s.targets[0]: s for s in ast.walk(tree) if isinstance(s, ast.Assign) and len(s.targets) == 1}
    holders = [owner]
    meaning: dict[Any, Binding] = {mention.node: b for b in bindings for mention in b.mentions}

    def is_object(node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            return not node.args and not node.keywords and meaning.get(node.func) is owner
        return meaning.get(node) in holders[1:]

    arguments = _arguments(tree, bindings)
    while True:
        new = []
        for binding in bindings:
            first, *rest = [mention.node for mention in binding.mentions]
            if binding in holders or not all_read(rest):
                continue
            given = [assignments[first].value] if first in assignments else arguments.get(first, [])
            if given and all(is_object(value) for value in given):
                new.append(binding)
        if not new:
            return holders
        holders += new


def _arguments(tree: ast.Module, bindings: list[Binding]) -> dict[ast.AST, list[ast.expr]]:
    """What each parameter of a function that is only called by its name is given; no entry where that is unsure."""
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    given: dict[ast.AST, list[ast.expr]] = {}
    for binding in bindings:
        definition, uses = sole_definition(binding)
        if not isinstance(definition, ast.FunctionDef) or not all(node in calls for node in uses):
            continue
        for index, parameter in enumerate(definition.args.args):
            values = [_argument(calls[node], index, parameter.arg) for node in uses]
            if parameter in parameters(definition.args) and all(values):
                given[parameter] = [value for value in values if value]
    return given


def _argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(keyword.arg is None for keyword in call.keywords):
        return None
    if index < len(call.args):
        return call.args[index]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
