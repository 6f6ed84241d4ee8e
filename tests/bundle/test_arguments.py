"""Parameters that fold away: which ones go, and which have to stay."""

import pytest

from tests.support.folding import folded, printed

MAIN = "def main():\n    {}\n"


@pytest.mark.parametrize(
    ("definition", "call", "expected", "new_call"),
    [
        ("def f(a, b):\n    print(a, b)\n", "f(x, 2)", "def f(a):\n    print(a, 2)\n", "f(x)"),
        ("def f(a, b):\n    print(a, b)\n", "f(b=2, a=x)", "def f(a):\n    print(a, 2)\n", "f(a=x)"),
        ("def f(a, b=2):\n    print(a, b)\n", "f(x)", "def f(a):\n    print(a, 2)\n", "f(x)"),
        ("def f(a, b=2):\n    print(a, b)\n", "f(x, 3)", "def f(a):\n    print(a, 3)\n", "f(x)"),
        ("def f(a, b):\n    print(a)\n", "f(x, x + 1)", "def f(a):\n    print(a)\n", "f(x)"),
        ("def f(a):\n    return lambda: a + 1\n", "f(1)", "def f():\n    return lambda: 2\n", "f()"),
        ("def f(a):\n    print(f'{a}!{x}')\n", "f(1)", 'def f():\n    print(f"1!{x}")\n', "f()"),
        ("def f(a):\n    if a:\n        print(1)\n", "f(True)", "def f():\n    print(1)\n", "f()"),
        (
            "class C:\n    def __init__(self, a):\n        self.a = a\n",
            "C(1)",
            "class C:\n    def __init__(self):\n        self.a = 1\n",
            "C()",
        ),
        (
            "def f(a, b, c):\n    print(a, b, c)\n",
            "f(1, x, (2, 'y'))",
            'def f(b):\n    print(1, b, (2, "y"))\n',
            "f(x)",
        ),
        ("def f(a):\n    print(a)\n    f(1)\n", "f(1)", "def f():\n    print(1)\n    f()\n", "f()"),
        (
            "def f(x) -> C:\n    return isinstance(x, C)\nclass C:\n    def __init__(self, a):\n        self.a = a\n",
            "f(C(1))",
            "def f(x) -> C:\n    return isinstance(x, C)\nclass C:\n    def __init__(self):\n        self.a = 1\n",
            "f(C())",
        ),
    ],
)
def test_goes(definition: str, call: str, expected: str, new_call: str) -> None:
    assert folded(definition + MAIN.format(call)) == expected + MAIN.format(new_call)


@pytest.mark.parametrize(
    "source",
    [
        "def f(a):\n    print(a)\ndef main():\n    f(1)\n    f(2)\n",
        "def f(a):\n    print(a)\ndef main():\n    f(1)\n    f(True)\n",  # equal, but no same literal
        "def f(a):\n    a += 1\ndef main():\n    f(1)\n",
        "def f(a):\n    print(a)\ndef main():\n    f(*x)\n",
        "def f(a):\n    print(a)\ndef main():\n    f(**x)\n",
        "def f(a):\n    print(a)\ndef main():\n    f(1)\n    g(f)\n",
        "def f(*a):\n    print(a)\ndef main():\n    f(1)\n",
        "def f(a, /):\n    print(a)\ndef main():\n    f(1)\n",
        "@kernel\ndef f(a):\n    print(a)\ndef main():\n    f(1)\n",
        "def f(a):\n    print()\ndef main():\n    f(g())\n",
        "def f(a):\n    print(a)\ndef main():\n    print(f'{f(1)}')\n",
        "class C:\n    def __init__(self, a):\n        self.a = a\nclass D(C): x = 1\ndef main():\n    D(C(1))\n",
        "@dataclass\nclass C:\n    a: int\ndef main():\n    C(1)\n",
        "def f(a):\n    print(a)\ndef main():\n    f([1])\n",
        "def main(a):\n    print(a)\n",
    ],
)
def test_stays(source: str) -> None:
    assert folded(source) == source


def test_flags_alone_where_the_text_is_for_readers() -> None:
    source = "def f(a, b, c):\n    print(a, b, c)\ndef main():\n    f(1, True, None)\n"
    assert folded(source, flags_only=True) == "def f(a):\n    print(a, True, None)\ndef main():\n    f(1)\n"


def test_behaves_the_same() -> None:
    source = """
def scale(x, factor, negate=False, *, unit="m"):
    value = [x * factor for _ in range(2)]
    return f"{-x if negate else value}{unit} {factor:.1f}"
class Box:
    def __init__(self, content, label="box", size=3):
        self.text = f"{label!r} {size:>4} {content}"
def chain(depth, step, flag):
    return depth if depth > 4 or not flag else chain(depth + step, step=1, flag=True)
def main():
    print(scale(2, factor=1.5), scale(3, 1.5, False))
    print(Box([1], size=7).text, Box((2, 3), size=7).text)
    print(chain(0, 1, True))
"""
    text = folded(source)
    assert "def scale(x, *, unit=" in text
    assert "def __init__(self, content):" in text
    assert "def chain(depth):" in text
    assert printed(text + "main()") == printed(source + "main()") != ""
