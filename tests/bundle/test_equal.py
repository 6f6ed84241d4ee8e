"""The proof of equality: what may differ between a program and its minified form, and that anything else is noticed."""

import ast
from pathlib import Path

import pytest

from toolkit.bundle.minify.equal import NotEqual, prove_equal_up_to_names
from toolkit.bundle.minify.rename import rename


def prove(before: str, after: str) -> None:
    prove_equal_up_to_names(ast.parse(before), ast.parse(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a):\n    return a\nf(1)", "def g(b):\n    return b\ng(1)"),
        ("def f(a, b):\n    return a, b", "def f(b, a):\n    return b, a"),
        ("import os\nimport sys\nos, sys", "import os as a, sys as b\na, b"),
        ("from m import a, b\na(b)", "from m import a as c\nfrom m import b\nc(b)"),
        (
            '"""Doc."""\ndef f(a: int) -> int:\n    "Doc."\n    b: int = 1\n    return None',
            "def f(a):\n    b = 1\n    return",
        ),
        ("class A:\n    x: int = 1\n    y: int\n    'note'", "class A:\n    x = 1"),
        ("class A:\n    'note'", "class A: 0"),
        ("class A:\n    x: int", "class A: 0"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int", None),
        ("x = 60 * 60\ny = -1", "x = 3600\ny = -1"),
        ("for i in a:\n    pass\nelse:\n    pass", "for j in a: 0"),
        ("try:\n    a()\nfinally:\n    pass", "try: a()\nfinally: 0"),
        (
            "def f():\n    x: int\n    def g():\n        nonlocal x\n        x = 1",
            "def f():\n    a: 0\n    def g():\n        nonlocal a\n        a = 1",
        ),
        ("from __future__ import annotations\nx: int = 1", "x = 1"),
        ("def f(a, b):\n    return lambda: (a, b)", "def f(z, a):\n    return lambda: (z, a)"),
        # From Python 3.12 on a comprehension's variable shares a place with one of its function that has the same name.
        (
            "def f(a):\n    b = [c for c in a]\n    return {d: d for d in b}, {e for e in b}",
            "def f(a):\n    b = [a for a in a]\n    return {a: a for a in b}, {b for b in b}",
        ),
    ],
)
def test_equal(before: str, after: str) -> None:
    prove(before, after or before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0.0", "x = -0.0"),
        ("x = b''", "x = ''"),
        ("x = 'a'", "x = 'b'"),
        ("a.b", "a.c"),
        ("f(a=1)", "f(b=1)"),
        ("print(1)", "p(1)"),
        ("x = 1", "x = 1\nx = 1"),
        ("x = 1\ny = 2\nx", "x = 1\ny = 2\ny"),
        ("def f(a, b):\n    return a", "def f(a, b):\n    return b"),
        ("def f(a, b):\n    return a", "def f(a, a):\n    return a"),
        ("x = 1\ndef f(y):\n    return x", "a = 1\ndef f(a):\n    return a"),
        (
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2",
            "def f():\n    x = 1\n    def g():\n        x = 2",
        ),
        ("class A:\n    x = 1", "class A:\n    y = 1"),
        ("class A:\n    def f(self): pass", "class A:\n    def g(self): pass"),
        ("import os\nos", "import sys as os\nos"),
        ("def f(a: int): pass", "def f(a: str): pass"),
        ("x: int = 1", "x: str = 1"),
        ("def f(x):\n    y = 1\n    return print", "def f(x):\n    print = 1\n    return print"),
        ("def f():\n    return\n    yield", "def f():\n    return"),
        ("a < b", "a <= b"),
        ("if a: b()", "if not a: b()"),
        ("'x' 'y'\na()", "a()\na()"),
        ("x = [i for i in y]", "x = (i for i in y)"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("async def f(): pass", "def f(): pass"),
    ],
)
def test_any_other_difference_is_noticed(before: str, after: str) -> None:
    with pytest.raises((NotEqual, SyntaxError)):
        prove(before, after)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("[a-t]*.py"))[::16], ids=lambda path: path.name)
def test_renamed_files_of_the_standard_library_are_equal(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    rename(tree)
    prove(source, ast.unparse(tree))
