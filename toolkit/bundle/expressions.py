"""Put new source in the place of an expression, with brackets exactly where it would bind differently without."""

import ast
from collections.abc import Callable

from toolkit.bundle.constants import literal
from toolkit.bundle.edits import Source

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


def bracketed_text(source: Source, node: ast.expr) -> str:
    """Source of an expression, in brackets unless it is one unit on one line."""
    text = source.text(node)
    is_atom = isinstance(node, _ATOMS) or (isinstance(node, ast.Tuple) and text.startswith("("))
    return text if is_atom and "\n" not in text else f"({text})"


def replace_by_literal(source: Source, node: ast.expr, value: object) -> None:
    """Put a literal in the place of an expression; brackets that only grouped it go."""
    text = literal(value)
    start, end = source.start(node), source.end(node)
    parent = source.parents.get(node)
    is_base = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow) and parent.left is node
    binds_tighter = is_base or isinstance(parent, (ast.Attribute, ast.Subscript, ast.Call))
    if source.is_bracketed(start, end):
        opening, closing = source.before(start) - 1, source.skip_blank(end) + 1
        around = source.data[: source.before(opening)][-1:] + source.data[closing : closing + 1]
        if not binds_tighter and not any(chr(c).isalnum() or c in b"_)]\"'" for c in around):
            start, end = opening, closing
    elif binds_tighter and (text.startswith("-") or (text.isdigit() and isinstance(parent, ast.Attribute))):
        text = f"({text})"
    source.replace(start, end, text)


def replace_by_part(source: Source, node: ast.expr, part: ast.expr) -> None:
    """Put one of an expression's parts in its place."""
    parent = source.parents.get(node)
    start, end = source.start(node), source.end(node)
    is_free = isinstance(parent, (ast.stmt, ast.List, ast.keyword)) or (
        isinstance(parent, ast.Call) and parent.func is not node
    )
    text = bracketed_text(source, part)
    if source.is_bracketed(start, end) or (is_free and "\n" not in text and not isinstance(part, _NEVER_BARE)):
        text = source.text(part)
    source.replace(start, end, text)


_NEVER_BARE = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Starred)


def rewrite_fstring(source: Source, node: ast.JoinedStr, change: Callable[[ast.AST], ast.AST]) -> None:
    """Replace an f-string by a changed copy, printed anew."""
    copy = ast.parse(f"({source.text(node)})", mode="eval").body
    text = ast.unparse(change(copy))
    if text.startswith("f'") and '"' not in text and "\\" not in text:
        text = f'f"{text[2:-1]}"'
    source.replace(source.start(node), source.end(node), text)
