"""The shortest text of a program, the same under every Python, and for every Python from 3.11 on.

python-minifier prints it, but writes f-strings for the Python that runs it. From 3.12 on a field may hold backslashes
and the quote around it, so the text is printed once more, with f-strings that an older one reads as well.
"""

import ast
import re
import sys
from collections.abc import Iterator
from typing import Any

import python_minifier
from python_minifier.f_string import OuterFString
from python_minifier.module_printer import ModulePrinter
from python_minifier.token_printer import TokenPrinter, TokenTypes

from toolkit.syntax.unparse import unparse

_OPENING = re.compile("[a-zA-Z]+(\"\"\"|'''|\"|')")


def shortest_text(tree: ast.Module, **options: Any) -> str:
    """Print a program under options of `python_minifier.minify`, which raises if it changed more than they allow.

    `ValueError` for an f-string that cannot be written for Python 3.11.
    """
    return exact_text(ast.parse(python_minifier.minify(unparse(tree), **options)))


def exact_text(tree: ast.Module) -> str:
    """Print a program, changing nothing of its tree; `AssertionError` if that does not succeed.

    A statement that python-minifier cannot print is printed as Python does. `ValueError` as above.
    """
    text = "\n".join(map(_statement, tree.body))
    if ast.dump(ast.parse(text)) != ast.dump(tree):
        raise AssertionError("printing changed the program's tree")
    return text


def _statement(stmt: ast.stmt) -> str:
    module = ast.Module([stmt], [])
    expected = ast.dump(module)
    for candidate in _candidates(module):
        try:
            if ast.dump(ast.parse(candidate)) == expected:
                return candidate
        except SyntaxError:
            continue
    return unparse(stmt)


def _candidates(module: ast.Module) -> Iterator[str]:
    try:
        text: str = _Printer()(module)
    except (AssertionError, RuntimeError, ValueError) as error:  # python-minifier's words for what it cannot print
        if isinstance(error, RecursionError):
            raise
        return
    # Spaces for the tabs that indent: a script has many spaces and no other tab, which costs a symbol of its own.
    yield re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), text, flags=re.MULTILINE)
    yield text  # a line inside of a string may begin with a tab


class _Tokens(TokenPrinter):
    """Collects text in a list: python-minifier's own copies all of it for every token."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        super().__init__()

    @property
    def _code(self) -> str:
        """Methods of the base add to this attribute and set it."""
        return ""

    @_code.setter
    def _code(self, text: str) -> None:
        if text:
            self.pieces.append(text)

    def __str__(self) -> str:
        return "".join(self.pieces)

    def newline(self) -> None:
        while self.pieces:
            if last := self.pieces.pop().rstrip("\n\t;"):
                self.pieces += [last, "\n" + "\t" * self.indent]
                break
        self.previous_token = TokenTypes.NewLine

    def end_statement(self) -> None:
        if self.indent == 0:
            self.newline()
        elif self.pieces[-1][-1] != ";":
            self.pieces.append(";")
        self.previous_token = TokenTypes.EndStatement


class _Printer(ModulePrinter):
    def __init__(self) -> None:
        super().__init__()
        self.printer = _Tokens()

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.printer.fstring(str(_FString(node, pep701=False)))


class _FString(OuterFString):
    """Picks the shortest of many candidates that is correct."""

    def is_correct_ast(self, code: str) -> bool:
        return super().is_correct_ast(code) and reads_before_3_12(code)


def reads_before_3_12(code: str) -> bool:
    """Whether an expression that this Python reads has no f-string that is one only from Python 3.12 on."""
    if sys.version_info < (3, 12):
        return True  # and its positions inside f-strings are not to be relied on

    def text(node: ast.expr) -> str:
        return ast.get_source_segment(code, node) or ""

    for node in ast.walk(ast.parse(code, mode="eval")):
        if isinstance(node, ast.FormattedValue) and "\\" in text(node.value):
            return False
        if isinstance(node, ast.JoinedStr) and (opening := _OPENING.match(text(node))):  # else a format specification
            fields = "".join(text(piece) for piece in node.values if isinstance(piece, ast.FormattedValue))
            if opening[1] in fields or (len(opening[1]) == 1 and "\n" in fields):
                return False
    return True
