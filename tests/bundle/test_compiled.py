"""The compiler as a witness: renamings that no run can notice pass, and every kind of wrong one is caught."""

import ast
from pathlib import Path

import pytest

from toolkit.bundle.minify.compiled import compiled, differences


def found(before: str, after: str) -> list[str]:
    return list(differences(compiled(ast.parse(before)), compiled(ast.parse(after))))


RIGHT = {
    "globals": ("x = 1\ndef f():\n    return x\nf()", "a = 1\ndef b():\n    return a\nb()"),
    "globals of functions only": (
        "def f():\n    global x\n    x = 1\nf(), x",
        "def f():\n    global a\n    a = 1\nf(), a",
    ),
    "locals": (
        "def f(x, y, *z, k=1, **m):\n    v = x\n    return v, y, z, k, m",
        "def f(a, b, *c, d=1, **e):\n    g = a\n    return g, b, c, d, e",
    ),
    "cells in another order": (
        "def f(a, b):\n    c = a + b\n    return lambda: (a, b, c)",
        "def f(z, y):\n    a = z + y\n    return lambda: (z, y, a)",
    ),
    "a cell of code that never runs": (
        "def f():\n    if 0:\n        x = 1\n        return lambda: x",
        "def f():\n    if 0:\n        a = 1\n        return lambda: a",
    ),
    "a global that only dead code binds": ("if 0:\n    x = 1\nx", "if 0:\n    a = 1\na"),
    "a cell behind the end": (
        "def f():\n    return\n    x = 1\n    return lambda: x",
        "def f():\n    return\n    a = 1\n    return lambda: a",
    ),
    "cells through functions": (
        "def f(x):\n    y = x\n    def g():\n        nonlocal y\n        return lambda: (y, x)\n    return g",
        "def f(b):\n    a = b\n    def g():\n        nonlocal a\n        return lambda: (a, b)\n    return g",
    ),
    "classes": (
        "y = 1\nclass A:\n    x = y\n    def m(self):\n        self.z = __class__\n        return super().m()",
        "b = 1\nclass B:\n    x = b\n    def m(a):\n        a.z = __class__\n        return super().m()",
    ),
    "a class in a function": (
        "def f(v):\n    class A:\n        x = v\n    return A",
        "def g(a):\n    class B:\n        x = a\n    return B",
    ),
    "comprehensions": (
        "def f(a):\n    return [c for c in a], {d: d for d in a}",
        "def f(a):\n    return [a for a in a], {b: b for b in a}",
    ),
    "imports": ("import os, sys as s\nos, s", "import os as a, sys as b\na, b"),
    "many variables": (
        "def f():\n" + "".join(f"    v{i} = {i}; w{i} = v{i}\n" for i in range(20)) + "    return lambda: (v1, w3)",
        "def f():\n" + "".join(f"    x{i} = {i}; a{i} = x{i}\n" for i in range(20)) + "    return lambda: (x1, a3)",
    ),
}

WRONG = {
    "a global in one function and not in the other": (
        "def f():\n    global x\n    x = 1\ndef g():\n    return x",
        "def f():\n    global a\n    a = 1\ndef g():\n    return x",
    ),
    "two globals become one": ("x = 1\ny = 2\nx, y", "a = 1\na = 2\na, a"),
    "globals swapped in one place": ("x = 1\ny = 2\nx, y", "a = 1\nb = 2\nb, a"),
    "a builtin": ("print(1)", "a(1)"),
    "a global becomes a builtin": ("x = 1\nx", "len = 1\nlen"),
    "a global that was a builtin before": ("print(input)\ninput = 1", "print(a)\na = 1"),
    "a name that nobody binds": ("def f():\n    return x", "def f():\n    return y"),
    "a name that is only deleted": ("del x", "del a"),
    "a name that the interpreter knows": ("__all__ = []", "a = []"),
    "a global under an import of all names": ("from m import *\nx = 1", "from m import *\na = 1"),
    "a class body that reads a global of the same name": (
        "x = 1\nclass A:\n    x = x",
        "a = 1\nclass A:\n    x = x",
    ),
    "a global that takes the name a class body may read": (
        "y = 1\nclass A:\n    x = x",
        "x = 1\nclass A:\n    x = x",
    ),
    "an attribute of a class": ("class A:\n    x = 1", "class A:\n    y = 1"),
    "a global that a class hides": ("y = 1\nclass A:\n    x = 1\n    z = y", "x = 1\nclass A:\n    x = 1\n    z = x"),
    "a local": ("def f(x, y):\n    return x", "def f(a, b):\n    return b"),
    "a local that hides a global": ("x = 1\ndef f(y):\n    return x", "a = 1\ndef f(a):\n    return a"),
    "a cell that hides another": (
        "def f(x):\n    def g(y):\n        return lambda: x\n    return g",
        "def f(x):\n    def g(x):\n        return lambda: x\n    return g",
    ),
    "cells swapped inside": (
        "def f(x, y):\n    x, y\n    return lambda: (x, y)",
        "def f(x, y):\n    x, y\n    return lambda: (y, x)",
    ),
    "a nonlocal": (
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return g",
        "def f():\n    x = 1\n    def g():\n        x = 2\n    return g",
    ),
    "a mangled name": (
        "class A:\n    def f(self):\n        self.__x",
        "class B:\n    def f(self):\n        self.__x",
    ),
    "a mangled global": ("_A__x = 1\nclass A:\n    y = __x", "a = 1\nclass A:\n    y = __x"),
    "super": ("super = 1\nclass A:\n    def f(s):\n        super", "a = 1\nclass A:\n    def f(s):\n        a"),
    "an attribute": ("x.a", "x.b"),
    "a keyword": ("f(a=1)", "f(b=1)"),
    "a keyword of a pattern": ("match x:\n    case A(b=1): 0", "match x:\n    case A(c=1): 0"),
    "a module": ("import os", "import sys as os"),
    "an imported name": ("from a import b", "from a import c as b"),
    "a constant": ("x = 1", "x = True"),
    "a zero": ("x = (0.0,)", "x = (-0.0,)"),
    "an annotation": ("def f(a: int): 0", "def f(a: str): 0"),
    "a default": ("def f(*, a=x): 0", "def f(*, a=y): 0"),
    "a default of a lambda": ("lambda *, a=x: 0", "lambda *, a=y: 0"),
    "more code": ("x = 1", "x = 1\nx = 1"),
    "a parameter by position only": ("def f(a, /): 0", "def f(a): 0"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_renaming_passes(name: str) -> None:
    before, after = RIGHT[name]
    assert found(before, before) == []
    assert found(before, after) == []
    assert found(after, before) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_renaming_is_caught(name: str) -> None:
    before, after = WRONG[name]
    assert found(before, before) == []
    assert found(before, after)
    assert found(after, before)


@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("[a-t]*.py"))[::8], ids=lambda path: path.name)
def test_files_of_the_standard_library_are_themselves(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert found(source, source) == []
