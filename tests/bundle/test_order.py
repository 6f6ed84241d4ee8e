"""The order of definitions: a permutation that respects what definitions need, and compresses no worse."""

import ast
import random

import pytest

from toolkit.bundle.link.parts import Part, make_part
from toolkit.bundle.minify import order
from toolkit.bundle.minify.order import in_canonical_order, reorder, requirements
from toolkit.bundle.pack.compress import default_filters, raw_lzma

THEMES = [
    "def f{i}(rows,columns):\n return [rows*{i}+column for column in columns if column%{i}]\n",
    "def f{i}(path):\n with open(path) as file:return file.read().split({i})\n",
    "class f{i}(Exception):\n def __init__(self,message):super().__init__(message+'{i}')\n",
    "def f{i}(text,start='{i}'):\n while text.startswith(start):text=text[len(start):]\n return text\n",
    "f{i}=('alpha','beta','gamma',{i})\n",
    "class f{i}(f2):\n limit={i}\n def reset(self):self.limit=None\n",
]
GENERATOR = random.Random(1)
PROGRAM = "import math\n" + "".join(
    GENERATOR.choice(THEMES).format(i=i) if i != 2 else THEMES[2].format(i=2) for i in range(1, 40)
)
PROGRAM = PROGRAM.replace("class f1(f2)", "class f1") + "if 1:f1(2)\n"


def parts_of(text: str) -> list[Part]:
    body = [stmt for stmt in ast.parse(text).body[:-1] if not isinstance(stmt, ast.Import)]
    return [make_part(ast.unparse(stmt) + "\n", "module", "script", stmt.lineno) for stmt in body]


def test_permutation_that_runs_and_compresses_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "STEPS", 40)
    parts = parts_of(PROGRAM)
    text, moved = reorder(PROGRAM, parts)
    assert moved != parts
    assert sorted(moved, key=lambda part: part.line) == parts
    assert [part.declares for part in parts_of(text)] == [part.declares for part in moved]
    assert (text.splitlines()[0], text.splitlines()[-1]) == ("import math", "if 1:f1(2)")
    exec(compile(text.rpartition("if 1")[0], "text", "exec"), {})  # every base class stands before its heirs
    filters = default_filters(PROGRAM.encode())
    assert len(raw_lzma(text.encode(), filters)) < len(raw_lzma(PROGRAM.encode(), filters))
    assert reorder(PROGRAM, parts) == (text, moved)


@pytest.mark.parametrize(
    ("statement", "needs"),
    [
        ("def f(x): return a + b", set()),
        ("def f(x=a): return b", {0}),
        ("f = lambda: a", set()),
        ("f = lambda x=a: b", {0}),
        ("@a\ndef f(): b", {0}),
        ("@a(b)\nclass C: pass", {0, 1}),
        ("class C(a):\n x = b", {0, 1}),
        ("class C:\n def m(self): return a\n @b\n def n(self): pass", {1}),
        ("class C:\n def m(self, x=a): pass", {0}),
        ("def f():\n def g(x=a): pass", set()),
        ("C = [a for x in b]", {0, 1}),
    ],
)
def test_requirements(statement: str, needs: set[int]) -> None:
    body = ast.parse("def a(): pass\nb = 1\n" + statement).body
    assert requirements(body)[2] == needs


def test_canonical_order_is_that_of_names_after_what_each_needs() -> None:
    text = "def d(): pass\nb = c\nclass a(b): pass\nc = 1\ndef e(): pass\nif 1: a()\n"
    parts = parts_of(text)
    expected = ["c", "b", "a", "d", "e"]
    for given in (parts, parts[::-1]):
        assert ["".join(part.declares) for part in in_canonical_order(given)] == expected


def test_one_definition_stays() -> None:
    text = "def main(x): pass\nif 1: main(1)\n"
    parts = parts_of(text)
    assert reorder(text, parts) == (text, parts)
