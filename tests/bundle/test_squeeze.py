"""Rewriting a whole program for size: what changes, and what must not."""

import ast
import contextlib
import io

import pytest

from toolkit.bundle.link.emit import main_block
from toolkit.bundle.link.names import import_lines
from toolkit.bundle.link.parts import Import, Part, make_part, outside_imports
from toolkit.bundle.minify.print import minify, module_bytes
from toolkit.bundle.minify.squeeze import squeeze


def program(source: str) -> tuple[list[Import], list[Part]]:
    imports, parts = [], []
    for stmt in ast.parse(source).body:
        if isinstance(stmt, (ast.Import, ast.ImportFrom)):
            imports += outside_imports(stmt, "script")
        else:
            parts.append(make_part(ast.unparse(stmt) + "\n", "module", "script", stmt.lineno))
    return imports, parts


def squeezed(source: str) -> str:
    imports, parts = squeeze(*program(source), frozenset({"main"}))
    return "\n".join([*import_lines(imports), *(part.source for part in parts)])


def printed(source: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script", "exec"), {"__name__": "__main__", "__file__": "script"})
    return out.getvalue()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "def main(x: int, *y: str, **z: float) -> int:\n    a: int = 1\n    f(a)\n",
            "def main(x, *y, **z):\n    f(1)\n",
        ),
        (
            "class A:\n    x: int\n    y: int = 1\n\ndef main():\n    A().x = 2\n",
            "class A:\n    y = 1\n\ndef main():\n    A().x = 2\n",
        ),
        ("LIMIT = 1000\ndef main():\n    f(LIMIT)\n", "def main():\n    f(1000)\n"),
        ("LIMIT = 1000\ndef main():\n    f(LIMIT, LIMIT)\n", "LIMIT = 1000\n\ndef main():\n    f(LIMIT, LIMIT)\n"),
        ("LIMIT = 10\ndef main():\n    f(LIMIT, LIMIT)\n", "def main():\n    f(10, 10)\n"),
        ("FLAG = False\ndef main():\n    if FLAG:\n        f()\n", "def main():\n    pass\n"),
        ("def main(x):\n    for i in x:\n        a = 1\n    f(a)\n", None),
        ("def main(x):\n    if x:\n        f(a)\n    a = 1\n    f(a)\n", None),
        ("def main(x):\n    a = 1\n    f(a)\n    a = 2\n    f(a)\n", None),
        ("def main(a=1):\n    a = 2\n    f(a)\n", None),
        ("def main():\n    a = 2\n    f(lambda: a)\n", "def main():\n    f(lambda: 2)\n"),
        ("def g(a, b=2, *, c=3):\n    f(a, b, c)\n\ndef main():\n    g(b=1, a=2)\n    g(1, b=h(), c=4)\n", None),
    ],
)
def test_rewrites(source: str, expected: str) -> None:
    if expected is None:
        expected = source.replace("g(b=1, a=2)", "g(2, 1)").replace("b=h()", "h()")
    assert squeezed(source).strip() == expected.strip()


def test_keywords_with_effects_keep_their_order() -> None:
    source = "def g(a, b):\n    f(a, b)\n\ndef main():\n    g(b=h(), a=k())\n"
    assert squeezed(source) == source


@pytest.mark.parametrize(
    "call",
    ["g(*x, b=1)", "g(**x, b=1)", "[g][0](b=1)", "other.g(b=1)"],
)
def test_calls_that_are_not_direct_keep_their_keywords(call: str) -> None:
    assert call in squeezed(f"def g(a=0, b=0):\n    f(a, b)\n\ndef main():\n    {call}\n")


def test_constructor_of_a_class_and_of_a_dataclass() -> None:
    source = """
from dataclasses import dataclass, field
@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
class Line:
    def __init__(self, a, b):
        self.ends = (a, b)
def main(path):
    print(Line(a=Point(x=1, y=2), b=Point(y=4, x=3)).ends)
"""
    text = squeezed(source)
    assert "Line(Point(1, 2), Point(3, 4))" in text
    assert "x: 0\n    y: 0 = 0\n" in text
    assert printed(text + "\n" + main_block("main(__file__)")) == printed(source + main_block("main(__file__)"))


@pytest.mark.parametrize(
    "source",
    [
        "class Pair(typing.NamedTuple):\n    a: int\n    b: int = 1\ndef main():\n    Pair(1)\n",
        "@kernel\ndef add(x: constexpr) -> int:\n    return x\ndef main():\n    add(x=1)\n",
        "@register\nclass A:\n    x: int\ndef main():\n    A()\n",
        "@dataclass\nclass A:\n    x: ClassVar[int] = 1\n    y: 'InitVar[int]' = 2\ndef main():\n    A()\n",
    ],
)
def test_annotations_that_somebody_may_read_stay(source: str) -> None:
    text = squeezed(source)
    for line in source.splitlines():
        if ":" in line and not line.startswith("from"):
            assert line in text


def test_minified_sizes_add_up_by_module() -> None:
    constant = "X = 'ünicode' * 1000\n"
    source = f"import math\n@property\ndef a():\n    return math.pi\n{constant}def main(path):\n    print(a, X, X)\n"
    imports, parts = squeeze(*program(source), frozenset({"main"}))
    text = minify(imports, parts, "main(__file__)")
    sizes = module_bytes(text, parts)
    assert sum(sizes.values()) == len(text.encode())
    assert set(sizes) == {"script", "module"}
    assert sizes["script"] == len(b"import math as A\nif __name__=='__main__':C(__file__)")
