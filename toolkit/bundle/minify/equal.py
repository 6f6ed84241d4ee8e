"""A proof that minifying changed nothing of a program but its names and its notes.

Both trees are first brought to one form: imports one name a statement, no `pass` and no bare literals (docstrings among
them) beside other statements, constant expressions evaluated. Then they are walked side by side. Every place that holds
a name leads to a binding on either side, and these pairs must form a one-to-one map; names that the program does not
bind itself, attributes, keywords and literals must be the same. An annotation may be gone, but not changed.

Python's own compiler is asked as well: without annotations, both programs must compile to the same operations, so
that it too takes the same names for locals, cells and globals.
"""

import ast
import dis
from collections.abc import Iterator
from itertools import zip_longest
from types import CodeType
from typing import Any

from toolkit.bundle.rewrite.scopes import Binding, find_bindings
from toolkit.bundle.rewrite.signatures import is_plain
from toolkit.syntax.constants import NotConstant, evaluate
from toolkit.syntax.unparse import copied

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# What the size of an index or jump decides; and how a method is called, which differs where any import has that name.
_SKIPPED_OPERATIONS = {"EXTENDED_ARG", "NOP", "CACHE", "PUSH_NULL"}
_Place = tuple[Any, str, int | None]  # a node, its field that holds a name, and the index there


class NotEqual(Exception):
    """A transformation changed the program: a bug of ours, and nothing may be written."""


def prove_equal_up_to_names(before: ast.Module, after: ast.Module) -> None:
    """Raise `NotEqual` unless a one-to-one renaming and the loss of notes turns `before` into `after`."""
    left, right = _normal(before), _normal(after)
    _Walk(left, right).compare(left, right, "program")
    for one, other in zip_longest(_operations(_compiled(left)), _operations(_compiled(right))):
        if one != other:
            raise NotEqual(f"expected the same operations, found {one} and {other}")


class _Normal(ast.NodeTransformer):
    """Puts a tree into the form in which it is compared; annotations of assignments become their attribute `note`."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.ClassDef) and is_plain(node):
            node.body = [stmt for stmt in node.body if not isinstance(stmt, ast.AnnAssign)] or [ast.Pass()]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                block[:] = [stmt for stmt in block if not _is_note(stmt)]
                if name != "orelse" and not block and not isinstance(node, ast.Module):
                    block.append(ast.Pass())
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        return [ast.Import([alias]) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        names = [alias for alias in node.names if (node.module, alias.name) != ("__future__", "annotations")]
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in names]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        stmt: ast.stmt = ast.AnnAssign(node.target, ast.Constant(0), None, node.simple)  # makes the name a local
        if node.value:
            stmt = ast.Assign([node.target], node.value)
        stmt.note = node.annotation  # type: ignore[attr-defined]
        return ast.copy_location(stmt, node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Constant) and node.value.value is None:
            node.value = None
        return node

    def visit_expression(self, node: ast.expr) -> ast.AST:
        self.generic_visit(node)
        try:
            return ast.copy_location(ast.Constant(evaluate(node)), node)
        except NotConstant:
            return node

    visit_BinOp = visit_UnaryOp = visit_expression


def _normal(tree: ast.Module) -> ast.Module:
    normal: ast.Module = _Normal().visit(copied(tree))
    return normal


def _is_note(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Pass) or (isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant))


class _Walk:
    """Compares two trees; `forward` and `backward` are the renaming found so far."""

    def __init__(self, before: ast.Module, after: ast.Module) -> None:
        self.before = _bindings_by_place(before)
        self.after = _bindings_by_place(after)
        self.forward: dict[Binding, Binding] = {}
        self.backward: dict[Binding, Binding] = {}

    def compare(self, left: Any, right: Any, where: str) -> None:
        if type(left) is not type(right):
            raise NotEqual(f"{where}: expected {type(left).__name__}, found {type(right).__name__}")
        if isinstance(left, list):
            if len(left) != len(right):
                raise NotEqual(f"{where}: expected {len(left)} items, found {len(right)}")
            for one, other in zip(left, right, strict=True):
                self.compare(one, other, where)
        elif isinstance(left, ast.AST):
            line = getattr(left, "lineno", None)
            where = f"{type(left).__name__} in line {line}" if line else where
            for name in (*left._fields, "note"):
                self.compare_field(left, right, name, f"{where}, {name}")
        elif repr(left) != repr(right):  # tells 0.0 from -0.0, and nan is like itself
            raise NotEqual(f"{where}: expected {left!r}, found {right!r}")

    def compare_field(self, left: ast.AST, right: ast.AST, name: str, where: str) -> None:
        one, other = getattr(left, name, None), getattr(right, name, None)
        if isinstance(left, (ast.Global, ast.Nonlocal)):
            self.compare([""] * len(one or ()), [""] * len(other or ()), where)
            for index in range(len(one or ())):
                self.match((left, name, index), (right, name, index), where)
        elif (left, name, None) in self.before:
            self.match((left, name, None), (right, name, None), where)
        elif name not in ("ctx", "kind", "type_comment") and not (
            name in ("annotation", "returns", "note") and (other is None or _is_empty_note(other))
        ):
            self.compare(one, other, where)

    def match(self, left: _Place, right: _Place, where: str) -> None:
        """Two places that hold names: their bindings belong together, here and everywhere."""
        one, other = self.before[left], self.after.get(right)
        if other is None:
            raise NotEqual(f"{where}: expected a name for {one.name}, found none")
        is_paired = self.forward.setdefault(one, other) is other and self.backward.setdefault(other, one) is one
        is_fixed = _is_fixed(one) or _is_fixed(other)
        if not is_paired or (is_fixed and one.name != other.name):
            raise NotEqual(f"{where}: expected the name that stands for {one.name}, found {other.name}")


def _is_fixed(binding: Binding) -> bool:
    """Whether a name is not the program's to choose: that of a builtin, or of an attribute."""
    return binding.scope is None or isinstance(binding.scope.node, ast.ClassDef)


def _is_empty_note(note: Any) -> bool:
    """Whether an annotation has been replaced by the shortest there is."""
    return isinstance(note, ast.Constant) and note.value == 0


def _bindings_by_place(tree: ast.Module) -> dict[_Place, Binding]:
    return {(m.node, m.field, m.index): binding for binding in find_bindings(tree) for m in binding.mentions}


def _compiled(tree: ast.Module) -> CodeType:
    """Code of a normal tree without annotations, all of it in one line: the compiler looks at lines to merge jumps.

    From 3.12 on Python moves comprehensions into the function around, where those that share a name share a variable.
    It leaves generators alone, so they stand in for comprehensions here: their scopes are the same.
    """
    tree = _Generators().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, _FUNCTIONS):
            node.returns = None
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return compile(tree, "program", "exec", dont_inherit=True)


class _Generators(ast.NodeTransformer):
    """Makes a generator of every comprehension."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(ast.GeneratorExp(node.elt, node.generators), node)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        self.generic_visit(node)
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        return ast.copy_location(ast.GeneratorExp(pair, node.generators), node)


def _operations(code: CodeType) -> Iterator[object]:
    """A program without names: signature, number of variables of each kind and operations of every code object."""
    yield code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    yield code.co_nlocals, len(code.co_cellvars), len(code.co_freevars)
    for operation in dis.get_instructions(code):
        if operation.opname not in _SKIPPED_OPERATIONS:
            yield "LOAD_ATTR" if operation.opname == "LOAD_METHOD" else operation.opname
        if isinstance(operation.argval, CodeType):
            yield from _operations(operation.argval)
