"""Rewrite a whole program so that it minifies better, with the same behaviour. The result is not meant to be read.

Everything here relies on seeing the complete program: nobody else calls its functions or reads its globals.

- Annotations go, except what a dataclass or an unknown decorator may read.
- Constants that are used once, or are no longer than a name, move to their uses; what that decides is folded.
- Keyword arguments of direct calls become positional, so that parameters can be renamed.
- Functions that one call mentions move there, where nothing changes by it.

Not covered: renaming of attributes and methods, which may be entries of a state dict or belong to a foreign class.
"""

import ast

from toolkit.bundle.calls.absorb import absorb
from toolkit.bundle.link.parts import Import, Part, make_part
from toolkit.bundle.link.shake import shake
from toolkit.bundle.rewrite.expressions import substitute
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.bundle.rewrite.signatures import (
    all_read,
    has_known_decorators,
    is_plain,
    positional_names,
    sole_definition,
)
from toolkit.bundle.rewrite.simplify import is_pure, simplify
from toolkit.syntax.constants import is_literal
from toolkit.syntax.unparse import unparse

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_FIELD_MARKERS = {"ClassVar", "InitVar", "KW_ONLY"}
_SHORT = 3  # characters of a literal that is never longer than a name and its definition


def squeeze(imports: list[Import], parts: list[Part], roots: frozenset[str]) -> tuple[list[Import], list[Part]]:
    """A smaller program; comments and docstrings are lost."""
    tree = ast.parse("".join(part.source for part in parts))
    remove_annotations(tree)
    origin = dict(zip(tree.body, parts, strict=True))
    inline_constants(tree)
    pass_by_position(tree)
    absorb(tree, roots)
    squeezed = []
    for stmt in tree.body:
        part = origin[stmt]
        source = simplify(unparse(ast.fix_missing_locations(stmt)) + "\n")
        squeezed.append(make_part(source, part.module, part.where, part.line))
    return shake(imports, squeezed, roots)


def remove_annotations(tree: ast.Module) -> None:
    """Remove annotations of parameters, results and variables; those of dataclass fields become `0`."""
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS) and has_known_decorators(node):
            node.returns = None
            for arg in ast.walk(node.args):
                if isinstance(arg, ast.arg):
                    arg.annotation = None
        if isinstance(node, ast.ClassDef):
            _remove_class_annotations(node)
        else:
            for field in ("body", "orelse", "finalbody"):
                block = getattr(node, field, None)
                if isinstance(block, list):
                    block[:] = [_without_annotation(stmt) for stmt in block]


def _is_declaration(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.AnnAssign) and stmt.value is None


def _without_annotation(stmt: ast.stmt) -> ast.stmt:
    if not isinstance(stmt, ast.AnnAssign):
        return stmt
    if stmt.value is None:
        stmt.annotation = ast.Constant(0)  # still makes the name a local
        return stmt
    return ast.copy_location(ast.Assign([stmt.target], stmt.value), stmt)


def _remove_class_annotations(node: ast.ClassDef) -> None:
    if any(ast.unparse(base).endswith(("NamedTuple", "TypedDict")) for base in node.bases):
        return
    if not node.decorator_list:
        kept = [stmt for stmt in node.body if not (is_plain(node) and _is_declaration(stmt))]
        node.body = [_without_annotation(stmt) for stmt in kept] or [ast.Pass()]
    elif has_known_decorators(node):
        for stmt in node.body:
            if isinstance(stmt, ast.AnnAssign) and not _marks_field(stmt.annotation):
                stmt.annotation = ast.Constant(0)


def _marks_field(annotation: ast.expr) -> bool:
    """Whether a dataclass reads more in an annotation than that there is one."""
    names = {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(annotation)}
    is_text = any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(annotation))
    return is_text or bool(names & _FIELD_MARKERS)


def inline_constants(tree: ast.Module) -> None:
    """Move constants that are bound once to where they are used, where that is no longer."""
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))]
    owners = {stmt: scope for scope in scopes for stmt in scope.body}
    assignments = {s.targets[0]: s for s in owners if isinstance(s, ast.Assign) and len(s.targets) == 1}
    values: dict[ast.AST, ast.expr] = {}
    for binding in find_bindings(tree):
        first, *uses = [mention.node for mention in binding.mentions]
        stmt = assignments.get(first)
        if stmt is None or binding.scope is None or owners[stmt] is not binding.scope.node:
            continue
        is_short = len(ast.unparse(stmt.value)) <= _SHORT
        if is_literal(stmt.value) and all_read(uses) and (len(uses) == 1 or is_short):
            binding.scope.node.body.remove(stmt)
            values.update(dict.fromkeys(uses, stmt.value))
    substitute(tree, values)


def pass_by_position(tree: ast.Module) -> None:
    """Turn keyword arguments of direct calls of our functions and classes into positional ones."""
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for binding in find_bindings(tree):
        definition, uses = sole_definition(binding)
        names = positional_names(definition) if definition else []
        for node in uses:
            if node in calls and not any(isinstance(arg, ast.Starred) for arg in calls[node].args):
                _move_keywords(calls[node], names)


def _move_keywords(call: ast.Call, names: list[str]) -> None:
    """Move keywords while the next position is among them; one that overtakes others must be free of effects."""
    while call.keywords and len(call.args) < len(names):
        wanted = names[len(call.args)]
        index = next((i for i, keyword in enumerate(call.keywords) if keyword.arg == wanted), None)
        if index is None or (index > 0 and not all(is_pure(k.value) for k in call.keywords[: index + 1])):
            break
        call.args.append(call.keywords.pop(index).value)
