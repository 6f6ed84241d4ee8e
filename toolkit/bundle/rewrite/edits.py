"""Source text with its syntax tree, changed by replacing spans: comments and layout outside of them survive."""

import ast
import io
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

from toolkit.syntax.unparse import unparse

_SPACE = b" \t\r\n\f"

Spanned = ast.expr | ast.stmt | ast.arg | ast.keyword


class Source:
    """A text, its tree, and the edits collected so far. Offsets are in UTF-8 bytes, as the tree counts columns.

    Every statement must have its lines to itself; `one_statement_a_line` sees to that.
    """

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.tree = ast.parse(text)
        self.line_starts = [0, *accumulate(len(line) for line in self.data.splitlines(keepends=True))]
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.edits: list[tuple[int, int, bytes]] = []

    def start(self, node: Spanned) -> int:
        return self.line_starts[node.lineno - 1] + node.col_offset

    def end(self, node: Spanned) -> int:
        return self.line_starts[last_line(node) - 1] + (node.end_col_offset or 0)

    def text(self, node: Spanned) -> str:
        return self.data[self.start(node) : self.end(node)].decode()

    def lines(self, first: int, last: int) -> str:
        """Lines `first` to `last` (from 1, inclusive) with their ends."""
        return self.data[self.line_starts[first - 1] : self.line_starts[last]].decode()

    def line_of(self, offset: int) -> int:
        return 1 + self.data.count(b"\n", 0, offset)

    def skip_blank(self, offset: int) -> int:
        """The next offset that holds neither space nor comment."""
        while offset < len(self.data):
            if self.data[offset : offset + 1] == b"#":
                offset = (self.data + b"\n").index(b"\n", offset)
            elif self.data[offset] not in _SPACE:
                break
            else:
                offset += 1
        return offset

    def before(self, offset: int) -> int:
        """The offset just behind the last byte before `offset` that is no space."""
        return len(self.data[:offset].rstrip(_SPACE))

    def is_bracketed(self, start: int, end: int) -> bool:
        """Whether brackets stand directly around a span: those of a call, a signature or a group."""
        after = self.skip_blank(end)
        return self.data[: self.before(start)].endswith(b"(") and self.data[after : after + 1] == b")"

    def replace(self, start: int, end: int, new: str) -> None:
        self.edits.append((start, end, new.encode()))

    def replace_lines(self, first: int, last: int, new: str) -> None:
        self.replace(self.line_starts[first - 1], self.line_starts[last], new)

    def delete_lines(self, first: int, last: int) -> None:
        """Delete whole lines, and one of the two blank lines that would meet."""
        if last < len(self.line_starts) - 1 and not self.lines(last + 1, last + 1).strip():
            above = self.lines(first - 1, first - 1).rstrip() if first > 1 else ""
            if not above or above.endswith(":"):
                last += 1
        self.replace_lines(first, last, "")

    def drop_item(self, start: int, end: int) -> None:
        """Remove one item of a bracketed list together with one comma."""
        after = self.skip_blank(end)
        if self.data[after : after + 1] == b",":
            end = after + 1
            after = self.skip_blank(end)
        line_start = self.data.rfind(b"\n", 0, start) + 1
        line_end = self.data.find(b"\n", end) + 1
        before = self.before(start)
        if not self.data[line_start:start].strip() and after >= line_end > 0:
            start, end = line_start, line_end  # its line goes with it, and the comment there
        elif self.data[after : after + 1] != b")":
            end = after  # up to the next item
        elif self.data[before - 1 : before] == b",":
            start = before - 1  # the last item goes with the comma before it
        self.replace(start, end, "")

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def enclosing_fstring(self, node: ast.AST) -> ast.JoinedStr | None:
        """The outermost f-string around a node."""
        fstrings = [around for around in self.ancestors(node) if isinstance(around, ast.JoinedStr)]
        return fstrings[-1] if fstrings else None

    @contextmanager
    def apart(self) -> Iterator[list[tuple[int, int, bytes]]]:
        """Collect edits in a list of their own."""
        edits, self.edits = self.edits, []
        try:
            yield self.edits
        finally:
            self.edits = edits

    def edited(self) -> str:
        """The text with all edits made; they must not overlap."""
        pieces, position = [], 0
        for start, end, new in sorted(self.edits):
            if start < position:
                raise AssertionError("edits overlap")
            pieces += [self.data[position:start], new]
            position = end
        return b"".join([*pieces, self.data[position:]]).decode()


def first_line(node: ast.stmt) -> int:
    """Line on which a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def last_line(node: Spanned) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def one_statement_a_line(text: str) -> str:
    """The text as it is if every statement begins its line; else printed anew, which loses comments and layout."""
    source = Source(text)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.stmt):
            start = source.start(node)
            if source.data[source.line_starts[node.lineno - 1] : start].strip():
                return unparse(source.tree) + "\n"
    return text


def dedent(text: str, width: int) -> str:
    """Take `width` columns of indentation from every line, except from lines that begin inside a string."""
    inside = _lines_inside_strings("if 1:\n" + text)
    lines = text.split("\n")
    return "\n".join(
        line if number in inside or line[:width].strip() else line[width:] for number, line in enumerate(lines, 2)
    )


def _lines_inside_strings(text: str) -> set[int]:
    """Numbers of the lines (from 1) that begin inside a string."""
    literal_tokens = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    inside: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in literal_tokens:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
    return inside
