"""Put new source in the place of an expression, with brackets exactly where it would bind differently without."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.bundle.rewrite.edits import Source
from toolkit.syntax.constants import literal
from toolkit.syntax.unparse import unparse

_ATOMS = (
    ast.Attribute,
    ast.Call,
    ast.Constant,
    ast.Dict,
    ast.DictComp,
    ast.GeneratorExp,
    ast.JoinedStr,
    ast.List,
    ast.ListComp,
    ast.Name,
    ast.Set,
    ast.SetComp,
    ast.Subscript,
)
_NEVER_BARE = (ast.NamedExpr, ast.Yield, ast.YieldFrom)


def text_with_brackets(source: Source, node: ast.expr) -> str:
    """Source of an expression with the brackets around it, if there are any."""
    text = source.text(node)
    return f"({text})" if source.is_bracketed(source.start(node), source.end(node)) else text


def replace_by_literal(source: Source, node: ast.expr, value: object) -> None:
    """Put a literal in the place of an expression; brackets that only grouped it go."""
    text = literal(value)
    start, end = source.start(node), source.end(node)
    parent = source.parents.get(node)
    binds_tighter = (
        isinstance(parent, ast.Attribute)
        or (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow) and parent.left is node)
        or (isinstance(parent, ast.Subscript) and parent.value is node)
        or (isinstance(parent, ast.Call) and parent.func is node)
    )
    if source.is_bracketed(start, end):
        opening, closing = source.before(start) - 1, source.skip_blank(end) + 1
        around = source.data[: source.before(opening)][-1:] + source.data[closing : closing + 1]
        if not binds_tighter and not any(chr(c).isalnum() or c in b"_)]\"'" for c in around):
            start, end = opening, closing
    elif binds_tighter and (text.startswith("-") or (text.isdigit() and isinstance(parent, ast.Attribute))):
        text = f"({text})"
    source.replace(start, end, text)


def replace_by_part(source: Source, node: ast.expr, part: ast.expr) -> None:
    """Put one of an expression's parts in its place.

    A part without brackets binds no looser than the expression did. One with brackets may, unless it is one unit or the
    place takes any expression.
    """
    start, end = source.start(node), source.end(node)
    is_safe = _is_unit_there(source, node, part) or source.is_bracketed(start, end)
    source.replace(start, end, source.text(part) if is_safe else text_with_brackets(source, part))


def replace_by_argument(source: Source, call: ast.Call, argument: ast.expr) -> None:
    """Put an argument of a call in its place."""
    start, end = source.start(call), source.end(call)
    text = source.text(argument)
    is_safe = _is_unit_there(source, call, argument) or source.is_bracketed(start, end)
    source.replace(start, end, text if is_safe else f"({text})")


def _is_unit_there(source: Source, node: ast.expr, new: ast.expr) -> bool:
    """Whether an expression without brackets stays one where another stands."""
    parent = source.parents.get(node)
    is_argument = isinstance(parent, ast.Call) and parent.func is not node
    takes_any = is_argument or isinstance(parent, (ast.stmt, ast.List, ast.keyword))
    is_atom = takes_any or isinstance(new, _ATOMS)
    return is_atom and not isinstance(new, _NEVER_BARE) and "\n" not in source.text(new)


def replace_by_fstring(source: Source, node: ast.JoinedStr) -> None:
    """Print an f-string anew after its tree has been changed in place."""
    text = unparse(node)
    if text.startswith("f'") and '"' not in text and "\\" not in text:
        text = f'f"{text[2:-1]}"'
    source.replace(source.start(node), source.end(node), text)


def replace_names(source: Source, uses: list[ast.Name], value: object) -> None:
    """Put a literal in the place of names; an f-string around some of them is printed anew."""
    fstrings: dict[ast.JoinedStr, list[ast.Name]] = {}
    for use in uses:
        if fstring := source.enclosing_fstring(use):
            fstrings.setdefault(fstring, []).append(use)
        else:
            replace_by_literal(source, use, value)
    for fstring, inside in fstrings.items():
        names = [use.id for use in inside]
        for use in inside:
            use.id = f"({literal(value)})"  # a name is printed as it is
        source.replace(source.start(fstring), source.end(fstring), unparse(fstring))
        for use, name in zip(inside, names, strict=True):
            use.id = name


def substitute(tree: ast.AST, values: Mapping[Any, ast.AST | Sequence[ast.AST]]) -> None:
    """Put others in the place of nodes below the root of a tree; several, or none, in the place of a statement."""
    _Substitute(values).generic_visit(tree)


class _Substitute(ast.NodeTransformer):
    def __init__(self, values: Mapping[Any, ast.AST | Sequence[ast.AST]]) -> None:
        self.values = values

    def visit(self, node: ast.AST) -> Any:
        return self.values[node] if node in self.values else self.generic_visit(node)
