"""Put new source in the place of an expression, with brackets exactly where it would bind differently without."""

import ast

from toolkit.bundle.rewrite.edits import Source
from toolkit.syntax.constants import literal

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
    text = source.text(part)
    parent = source.parents.get(node)
    takes_any = isinstance(parent, (ast.stmt, ast.List, ast.keyword)) or _is_argument(parent, node)
    is_unit = (takes_any or isinstance(part, _ATOMS)) and not isinstance(part, _NEVER_BARE) and "\n" not in text
    if not is_unit and not source.is_bracketed(start, end):
        text = text_with_brackets(source, part)
    source.replace(start, end, text)


def _is_argument(parent: ast.AST | None, node: ast.expr) -> bool:
    return isinstance(parent, ast.Call) and parent.func is not node


def replace_by_fstring(source: Source, node: ast.JoinedStr) -> None:
    """Print an f-string anew after its tree has been changed in place."""
    text = ast.unparse(node)
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
        source.replace(source.start(fstring), source.end(fstring), ast.unparse(fstring))
        for use, name in zip(inside, names, strict=True):
            use.id = name
