"""Shorter ways to write the same: only what the proof takes to be equal, and never a docstring where none was."""

import ast

import pytest

from toolkit.bundle.minify.equal import prove_equal_up_to_names
from toolkit.bundle.minify.shorten import shorten


def shortened(source: str) -> str:
    tree = ast.parse(source)
    shorten(tree)
    prove_equal_up_to_names(ast.parse(source), tree)
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 60 * 60 * 24", "x = 86400"),
        ("x = - -1", "x = 1"),
        ("x = not True", "x = False"),
        ("pass", ""),
        ("def f(): pass", "def f():\n    0"),
        ("if a: pass\nelse: pass", "if a:\n    0"),
        ("for a in b:\n    pass\n    c()\nelse:\n    pass", "for a in b:\n    c()"),
        ("try: pass\nexcept A: pass\nelse: pass\nfinally: pass", "try:\n    0\nexcept A:\n    0\nfinally:\n    0"),
        ("match a:\n    case -1: pass", "match a:\n    case -1:\n        0"),
    ],
)
def test_shorter(source: str, expected: str) -> None:
    assert shortened(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "x = 2 * 3j",
        "x = 1e+308 * 10",
        "x = 1 << 20",
        "x = 1 / 0",
        "x = 'a' + 'b'",
        "x = __debug__",
        "x = 1 and 0",
        "def f():\n    if True:\n        return 1",
        "def f():\n    while 0:\n        yield",
        "if False:\n    x = 1",
        "match a:\n    case 1 + 2j:\n        b",
    ],
)
def test_stays(source: str) -> None:
    assert shortened(source) == source


def test_no_text_becomes_a_docstring() -> None:
    tree = ast.parse("pass\n'a'\ndef f():\n    pass\n    'b'\nclass A:\n    pass\n    'c'")
    shorten(tree)
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    assert [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented)] == [None] * 3
