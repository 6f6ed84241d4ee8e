"""A proof that minifying changed nothing of a program but its names and its notes.

Both trees are first brought to one form: imports one name a statement, no `pass` and no bare literals (docstrings among
them) beside other statements, constant expressions evaluated. Then they are walked side by side. Every place that holds
a name leads to a binding on either side, and these pairs must form a one-to-one map; names that the program does not
bind itself, attributes, keywords and literals must be the same. Annotations and docstrings may be gone, not changed.

Python's own compiler is asked as well, which knows nothing of our idea of scopes: see `compiled`.
"""

import ast
from typing import Any

from toolkit.bundle.minify.compiled import compiled, differences
from toolkit.bundle.rewrite.scopes import Binding, find_bindings
from toolkit.bundle.rewrite.signatures import is_plain
from toolkit.syntax.constants import NotConstant, evaluate, is_literal
from toolkit.syntax.unparse import copied

_NOTES = {
    (ast.arg, "annotation"),
    (ast.FunctionDef, "returns"),
    (ast.AsyncFunctionDef, "returns"),
    (ast.Assign, "note"),
    (ast.AnnAssign, "annotation"),
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_Place = tuple[Any, str, int | None]  # a node, its field that holds a name, and the index there


class NotEqual(Exception):
    """A transformation changed the program: a bug of ours, and nothing may be written."""


def prove_equal_up_to_names(before: ast.Module, after: ast.Module) -> None:
    """Raise `NotEqual` unless a one-to-one renaming and the loss of notes turns `before` into `after`."""
    _compare_future(before, after)
    left, right = _normal(before), _normal(after)
    _Walk(left, right).compare(left, right, "program")
    for difference in differences(compiled(left), compiled(right)):
        raise NotEqual(difference)


def _compare_future(before: ast.Module, after: ast.Module) -> None:
    """Whether annotations are evaluated must stay as it is, as long as there are any."""
    is_lazy, is_still_lazy = (any(map(_is_future, tree.body)) for tree in (before, after))
    notes = (getattr(node, name, None) for node in ast.walk(after) for name in ("annotation", "returns"))
    if is_still_lazy and not is_lazy:
        raise NotEqual("expected annotations that are evaluated, found texts")
    if is_lazy and not is_still_lazy and not all(note is None or _is_empty_note(note) for note in notes):
        raise NotEqual("expected annotations that are texts, found some that are evaluated")


def _is_future(stmt: ast.stmt) -> bool:
    return (
        isinstance(stmt, ast.ImportFrom)
        and stmt.module == "__future__"
        and any(alias.name == "annotations" for alias in stmt.names)
    )


class _Normal(ast.NodeTransformer):
    """Puts a tree into the form in which it is compared.

    Annotations of assignments become their field `note`, docstrings the attribute `doc`.
    """

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, _DOCUMENTED):
            node.doc = ast.get_docstring(node, clean=False)  # type: ignore[union-attr]
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
        if node.value is None:
            return node  # makes the name a local
        stmt = ast.copy_location(ast.Assign([node.target], node.value), node)
        stmt.note = node.annotation  # type: ignore[attr-defined]
        stmt._fields = (*stmt._fields, "note")  # type: ignore[misc]
        return stmt

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Constant) and node.value.value is None:
            node.value = None
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _value(node, [node.left, node.right])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _value(node, [node.operand])


def _value(node: ast.expr, operands: list[ast.expr]) -> ast.expr:
    """What an operator gives whose operands are constants; each level looks at the one below only."""
    try:
        return ast.copy_location(ast.Constant(evaluate(node)), node) if all(map(is_literal, operands)) else node
    except NotConstant:
        return node


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
            if getattr(right, "doc", None) not in (None, getattr(left, "doc", None)):
                raise NotEqual(f"{where}: expected its docstring or none, found another")
            for name in dict.fromkeys((*left._fields, *right._fields)):
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
        elif (type(left), name) in _NOTES and one and (other is None or _is_empty_note(other)):
            setattr(left, name, None)  # the compiler shall not see it either
            setattr(right, name, None)
        elif name not in ("ctx", "kind", "type_comment"):
            self.compare(one, other, where)

    def match(self, left: _Place, right: _Place, where: str) -> None:
        """Two places that hold names: their bindings belong together, here and everywhere."""
        meanings, found = self.before[left], self.after.get(right, [])
        if len(meanings) != len(found):
            raise NotEqual(f"{where}: expected {len(meanings)} meanings of {meanings[0].name}, found {len(found)}")
        for one, other in zip(meanings, found, strict=True):
            is_paired = self.forward.setdefault(one, other) is other and self.backward.setdefault(other, one) is one
            is_fixed = _is_fixed(one) or _is_fixed(other)
            if not is_paired or (is_fixed and one.name != other.name):
                raise NotEqual(f"{where}: expected the name that stands for {one.name}, found {other.name}")


def _is_fixed(binding: Binding) -> bool:
    """Whether a name is not the program's to choose: that of a builtin, or of an attribute."""
    return binding.scope is None or isinstance(binding.scope.node, ast.ClassDef) or binding.is_fixed


def _is_empty_note(note: Any) -> bool:
    """Whether an annotation has been replaced by the shortest there is."""
    return isinstance(note, ast.Constant) and note.value == 0


def _bindings_by_place(tree: ast.Module) -> dict[_Place, list[Binding]]:
    places: dict[_Place, list[Binding]] = {}
    for binding in find_bindings(tree):
        for mention in binding.mentions:
            places.setdefault((mention.node, mention.field, mention.index), []).append(binding)
    return places
