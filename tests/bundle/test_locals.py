"""Locals of one literal: which move to their reads, and which have to stay."""

import ast

import pytest

from toolkit.bundle.rewrite.locals import fold_locals


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = None\nreturn a", "return None"),
        ("a: int | None = None\nreturn g(a)", "return g(None)"),
        ("a = True\nif a:\n    g()", "g()"),
        ("a = x if False else None\nif a is not None:\n    g(a)", "pass"),
        ("a = False\nb = a or None\nreturn b, x", "return None, x"),
        ("if x:\n    a = True\n    return a", "if x:\n    return True"),
        ("for i in x:\n    a = None\n    g(a, i)", "for i in x:\n    g(None, i)"),
        ("a = False\nwhile x:\n    g(a)", "while x:\n    g(False)"),
        ("try:\n    a = None\n    g(a)\nfinally:\n    g()", "try:\n    g(None)\nfinally:\n    g()"),
        ("a = True\ndef h():\n    return a\nreturn h", "def h():\n    return True\nreturn h"),
        ("a = False\nreturn [a for i in x if i]", "return [False for i in x if i]"),
        ("a = None\nreturn f'{a}{x}'", "return f'None{x}'"),
        ("a, b = None, g()\nreturn a, b", "b = g()\nreturn None, b"),
        ("a, b, c = x, None, g()\nreturn a, b, c", "a, c = x, g()\nreturn a, None, c"),
        ("a, b = None, (lambda: x)\nreturn b(a)", "b = lambda: x\nreturn b(None)"),
        ("a, b = g(), None\nreturn a", "a = g()\nreturn a"),
        ("a = 0\nif a:\n    g(a)\nreturn a", "return 0"),
        ("a = ''\nreturn a or x", "return x"),
        ("a = (1, 2)\nreturn not a", "return False"),
    ],
)
def test_moves(body: str, expected: str) -> None:
    wrapped = [f"def f(x):\n{''.join(f'    {line}' for line in text.splitlines(True))}\n" for text in (body, expected)]
    assert ast.dump(ast.parse(fold_locals(wrapped[0]))) == ast.dump(ast.parse(wrapped[1]))


@pytest.mark.parametrize(
    "body",
    [
        "a = 3\nreturn a * a + a",  # a name that tells what it is
        "a = None\na = x\nreturn a",
        "a = None\nif x:\n    a = x\nreturn a",
        "if x:\n    a = None\nreturn a",
        "for i in x:\n    if i:\n        g(a)\n    a = None",
        "def h():\n    return a\ng(h)\na = None",
        "try:\n    a = None\nfinally:\n    g(a)",
        "a = None\ndel a\nreturn a",
        "a = None\na += x\nreturn a",
        "a = None\ndef h():\n    nonlocal a\n    a = x\nh()\nreturn a",
        "global a\na = None\nreturn a",
        "a = None\nfor a in x:\n    g(a)",
        "a = b = None\nreturn a, b",
        "a, *b = None, x\nreturn a, b",
        "a, x.b = None, x\nreturn a",
        "a, b = x\nreturn a, b",
        "class A:\n    a = None\nreturn A, a",
        "a = None\nwith x as a:\n    return a",
        "a = []\nreturn a or x",
    ],
)
def test_stays(body: str) -> None:
    source = f"def f(x):\n{''.join(f'    {line}' for line in body.splitlines(True))}\n"
    assert fold_locals(source) == source


def test_names_of_modules_and_parameters_stay() -> None:
    source = "a = None\ndef f(b=None):\n    return a, b\n"
    assert fold_locals(source) == source


def test_a_comment_goes_with_its_assignment() -> None:
    source = "def f(x):\n    # nothing yet\n    a = None\n    # all of it\n    return x, a\n"
    assert fold_locals(source) == "def f(x):\n    # all of it\n    return x, None\n"
