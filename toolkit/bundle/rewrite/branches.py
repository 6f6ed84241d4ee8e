"""`if` chains with constant tests, reduced to the branches that can run."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolkit.bundle.rewrite.edits import Source, dedent, last_line


@dataclass(frozen=True)
class Arm:
    """One branch of a chain, as text."""

    test: ast.expr | None  # None for `else`
    comment: str  # whole lines above its keyword
    header: str  # the rest of its first lines after the keyword
    block: list[ast.stmt]
    body: str  # whole lines of the block, comments included
    width: int  # columns by which the body is indented against the chain


def possible_arms(arms: list[Arm], value: Callable[[ast.expr], tuple[bool, object]]) -> list[Arm]:
    """The branches that can run; one that is sure to be taken becomes `else`. `value` is as in `Simplifier`."""
    kept: list[Arm] = []
    for arm in arms:
        known, truth = (False, None) if arm.test is None else value(arm.test)
        if known and truth:
            return [*kept, replace(arm, test=None, header=":\n")]
        if not known:
            kept.append(arm)
    return kept


def chain_text(arms: list[Arm], indent: str) -> str:
    """The lines of a chain with at least one branch."""
    if arms[0].test is None:
        return dedent(arms[0].body, arms[0].width)
    text = ""
    for i, arm in enumerate(arms):
        keyword = "else" if arm.test is None else "elif" if i else "if"
        text += f"{arm.comment if i else ''}{indent}{keyword}{arm.header}{arm.body}"
    return text


def chain_arms(source: Source, node: ast.If) -> list[Arm]:
    """The branches of an `if` with its `elif`s and `else`."""
    arms = []
    comment = ""
    keyword_end = source.start(node) + len("if")
    test: ast.expr | None = node.test
    block, rest = node.body, node.orelse
    while True:
        colon = source.skip_blank(keyword_end if test is None else source.end(test))
        while source.data[colon : colon + 1] == b")":
            colon = source.skip_blank(colon + 1)
        assert source.data[colon : colon + 1] == b":"
        first = source.line_of(colon) + 1
        header = source.data[keyword_end : source.line_starts[first - 1]].decode()
        keyword = source.skip_blank(source.end(block[-1])) if rest else 0
        last = _last_line_inside(source, block, source.line_of(keyword) if rest else 0)
        arms.append(Arm(test, comment, header, block, source.lines(first, last), block[0].col_offset - node.col_offset))
        if not rest:
            return arms
        comment = source.lines(last + 1, source.line_of(keyword) - 1)
        if source.data[keyword:].startswith(b"elif"):
            assert isinstance(rest[0], ast.If)
            keyword_end, test, block, rest = keyword + len("elif"), rest[0].test, rest[0].body, rest[0].orelse
        else:
            keyword_end, test, block, rest = keyword + len("else"), None, rest, []


def _last_line_inside(source: Source, block: list[ast.stmt], end: int) -> int:
    """The last line before line `end` that is indented like the block: its last statement or a comment below it."""
    last = last_line(block[-1])
    indent = " " * block[0].col_offset
    for line in range(last + 1, end):
        if source.lines(line, line).startswith(indent + "#"):
            last = line
    return last
