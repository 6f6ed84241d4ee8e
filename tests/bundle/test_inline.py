"""Calls of functions that came to nothing: which of them vanish, what takes their place, and which have to stay."""

import ast

import pytest

from toolkit.bundle.calls.inline import inline
from toolkit.bundle.link.parts import split_module
from toolkit.bundle.link.resolve import Module

SEAMS = {
    "same": "def same(model, x):\n    return x\n",
    "zero": "def zero(model):\n    return 0\n",
    "three": 'def three():\n    """Doc."""\n    return (1, -2.5, "a")\n',
    "nothing": 'def nothing(model, x=1):\n    """Doc."""\n',
    "leave": "def leave():\n    return\n",
    "either": "def either(x, y=(1, 2)):\n    return y\n",
}


def inlined(source: str) -> str:
    _, parts = split_module(Module("module", "module.py", source, ast.parse(source)))
    return "".join(part.source for part in inline(parts))


def body_of_main(body: str, *seams: str) -> str:
    """What becomes of a function's body beside some of the functions above."""
    head = "".join(SEAMS[seam] for seam in seams)
    text = inlined(head + "def main(self, x):\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    assert text.startswith(head)
    return "\n".join(line.removeprefix("    ") for line in text[len(head) :].splitlines()[1:])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return same(self, x + 1)", "return x + 1"),
        ("return same(self, x + 1) * 2", "return (x + 1) * 2"),
        ("return same(self, x).shape", "return x.shape"),
        ("return same(self, x=f(x)).shape", "return f(x).shape"),
        ("return same(x=x, model=self)", "return x"),
        ("return same(self, (yield))", "return (yield)"),
        ("for y in same(self, [1, 2]):\n    f(y)", "for y in [1, 2]:\n    f(y)"),
        ("return same(self,\n    x +\n    1)", "return (x +\n    1)"),
        ("return same(self, (y for y in x))", "return (y for y in x)"),
        ("return same(self.a[0], same(lambda: x, x))", "return x"),
        ("x = same(self, x)\nreturn x", "return x"),
        ("# why\nx = same(self, x)\n\nreturn x", "return x"),
        ("y = same(self, x)\nreturn y", "y = x\nreturn y"),
        ("self.x = same(self, self.x)", "self.x = self.x"),
        ("same(self, x)", "pass"),
        ("same(self, f(x))", "f(x)"),
        ("return f'{same(self, x)!r:>3}{zero(self)} {f(zero(self))}'", 'return f"{x!r:>3}0 {f(0)}"'),
        ("return zero(self) + x", "return 0 + x"),
        ("if zero(self):\n    f(x)\nelse:\n    f(self)", "f(self)"),
        ("return three()[1]", "return -2.5"),
        ("return f(*three())", 'return f(*(1, -2.5, "a"))'),
        ("nothing(self)\nnothing(self, x)\nleave()", "pass"),
        ("if x:\n    nothing(self)\nreturn x", "return x"),
        ("return nothing(self)", "return None"),
        ("return either(x), either(x, 3)", "return (1, 2), 3"),
    ],
)
def test_goes(body: str, expected: str) -> None:
    assert body_of_main(body, *SEAMS) == expected


@pytest.mark.parametrize(
    "body",
    [
        "return same(f(x), x)",  # would lose a call
        "return same(self, x, 3)",  # raises, and is to go on doing so
        "return same(self)",
        "return same(self, y=x)",
        "return same(self, x=x, **x)",
        "return same(*x)",
        "nothing(f(x))",
        "return f(same)",
        "def same(a, b): return a\nreturn same(self, x)",
        "same = f\nreturn same(self, x)",
        "return [same(self, x) for same in x]",
    ],
)
def test_stays(body: str) -> None:
    assert body_of_main(body, *SEAMS) == body


@pytest.mark.parametrize(
    "function",
    [
        "def f(x):\n    x = 1\n    return x\n",
        "def f(x):\n    return y\n",
        "def f(x):\n    return [1]\n",
        "def f(x):\n    return x.y\n",
        "def f(*x):\n    return x\n",
        "def f(*, x):\n    return x\n",
        "def f(x, /):\n    return x\n",
        "async def f(x):\n    return x\n",
        "def f(x):\n    return x\n    yield\n",
        "@torch.no_grad()\ndef f(x):\n    return x\n",
        "def f(x):\n    return x\ndef g():\n    global f\n    f = print\n",
        "class A:\n    def f(x):\n        return x\n",
    ],
)
def test_other_functions_stay(function: str) -> None:
    source = function + "def main(a):\n    return f(a), f()\n"
    assert inlined(source) == source


def test_a_default_takes_the_place_of_a_call_only_as_a_literal() -> None:
    source = "def f(x=y):\n    return x\ndef main(a):\n    return f(a), f()\n"
    assert inlined(source).endswith("return a, f()\n")


def test_a_local_stays_local() -> None:
    source = "def same(x):\n    return x\ndef main():\n    x = same(x)\n    return x\n"
    assert inlined(source).endswith("def main():\n    x = x\n    return x\n")  # which raises, as it did


def test_what_comes_to_nothing_in_turn() -> None:
    source = (
        "def leaf(x):\n    return x\n"
        "def stem(self, x):\n    x = leaf(x)\n    return leaf(x)\n"
        "def main(self, x):\n    return stem(self, x) + 1\n"
    )
    assert inlined(source).endswith("def stem(self, x):\n    return x\ndef main(self, x):\n    return x + 1\n")
