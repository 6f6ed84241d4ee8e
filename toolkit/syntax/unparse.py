"""Source of a tree, the same under every Python, and for every Python from 3.11 on.

Only f-strings need care. From Python 3.12 on a field may hold backslashes and the quote around it; `ast.unparse` makes
use of that, in each version in its own way, and an older parser refuses the text.
"""

import ast
from collections.abc import Iterator
from typing import Any

_QUOTES = ("'", '"', '"""', "'''")


def unparse(node: ast.AST) -> str:
    """Like `ast.unparse`; `ValueError` for an f-string whose fields need a backslash or too many kinds of quotes."""
    return ast.unparse(_AsNames(in_field=False).visit(copied(node)))


def copied(node: Any) -> Any:
    """A deep copy of a tree, several times as fast as `copy.deepcopy`."""
    if isinstance(node, list):
        return [copied(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    new = type(node).__new__(type(node))
    # Fields only: python-minifier leaves notes of its own on the `Load` that all trees share.
    for name in (*node._fields, *node._attributes):
        if hasattr(node, name):
            setattr(new, name, copied(getattr(node, name)))
    return new


class _AsNames(ast.NodeTransformer):
    """Puts a name in the place of every f-string, and in fields of every string: it is printed as it is."""

    def __init__(self, in_field: bool) -> None:
        self.in_field = in_field

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return ast.Name("f" + _quoted(list(_pieces(node, self.in_field)), self.in_field), ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not self.in_field or not isinstance(node.value, str):
            return node
        return ast.Name((node.kind or "") + _quoted([(_escaped(node.value, "\n\t"), False)], True), ast.Load())


def _pieces(node: ast.JoinedStr, in_field: bool) -> Iterator[tuple[str, bool]]:
    """What stands between the quotes: texts, and whether each is a field."""
    for piece in node.values:
        if isinstance(piece, ast.FormattedValue):
            yield _field(piece), True
        elif isinstance(piece, ast.Constant):
            yield _escaped(str(piece.value).replace("{", "{{").replace("}", "}}"), "\n\t" if in_field else ""), False


def _field(node: ast.FormattedValue) -> str:
    text = ast.unparse(_AsNames(in_field=True).visit(node.value))
    if "\\" in text:
        raise ValueError("a field of an f-string needs a backslash")
    if isinstance(node.value, (ast.IfExp, ast.Lambda)):
        text = f"({text})"
    if text.startswith("{"):
        text = " " + text
    if node.conversion != -1:
        text += f"!{chr(node.conversion)}"
    if isinstance(node.format_spec, ast.JoinedStr):
        text += ":" + "".join(piece for piece, _ in _pieces(node.format_spec, in_field=True))
    return "{" + text + "}"


def _escaped(text: str, kept: str) -> str:
    """Text with escapes for backslashes and for what cannot be printed, `kept` excepted."""
    special = {c for c in text if c == "\\" or not (c.isprintable() or c in kept)}
    return "".join(c.encode("unicode_escape").decode() if c in special else c for c in text)


def _quoted(pieces: list[tuple[str, bool]], in_field: bool) -> str:
    """Pieces in the first quotes that fit; outside of fields quotes of the text may be escaped."""
    body = "".join(text for text, _ in pieces)
    for quote in _QUOTES:
        if _fits(quote, body):
            return quote + body + quote
    for quote in () if in_field else _QUOTES:
        if all(_fits(quote, text) for text, is_field in pieces if is_field):
            escaped = (text if is_field else text.replace(quote[0], "\\" + quote[0]) for text, is_field in pieces)
            return quote + "".join(escaped) + quote
    raise ValueError("a field of an f-string has too many kinds of quotes")


def _fits(quote: str, body: str) -> bool:
    return quote not in body and not body.endswith(quote[0]) and (len(quote) == 3 or "\n" not in body)
