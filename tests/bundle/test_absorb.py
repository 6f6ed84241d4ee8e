"""Functions that move to their only call: the same program afterwards, and no move that could change it."""

import ast
import contextlib
import io

import pytest

from toolkit.bundle.calls.absorb import absorb


def absorbed(source: str) -> str:
    tree = ast.parse(source)
    absorb(tree, frozenset({"main"}))
    return ast.unparse(ast.fix_missing_locations(tree))


def printed(source: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def main_of(body: str) -> str:
    return "def main(self, x):\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    ("function", "body", "expected"),
    [
        ("def f(a):\n    return a + 1\n", "return f(x) * 2", "return (x + 1) * 2"),
        ("def f(a, b):\n    return g(a, b, a)\n", "return f(x, 3)", "return g(x, 3, x)"),
        ("def f(a, b=2):\n    return a - b\n", "return f(b=x, a=self)", "return self - x"),
        ("def f(a, b=2):\n    return a - b\n", "return f(x)", "return x - 2"),
        ("def f(a):\n    return torch.lerp(a, 1)\n", "return f(g(x))", "return torch.lerp(g(x), 1)"),
        ("def f(a, b):\n    return torch.lerp(a, b)\n", "return f(g(x), x.y)", "return torch.lerp(g(x), x.y)"),
        ("def f(a, b):\n    return a - b\n", "return f(g(x), g(self))", "return g(x) - g(self)"),
        ("def f(a):\n    return [y + a for y in a]\n", "return f(x)", "return [y_1 + x for y_1 in x]"),
        ("def f(y):\n    return [x for x in y]\n", "return f(x)", "return [x_1 for x_1 in x]"),
        ("def f(a):\n    return (y for y in a)\n", "return f(g(x))", "return (y_1 for y_1 in g(x))"),
        ("def f(a):\n    return (y + a for y in 1)\n", "return f(x)", "return (y_1 + x for y_1 in 1)"),
        ("def f(a):\n    return 1 if a else 2\n", "return f(g(x))", "return 1 if g(x) else 2"),
        ("def f(a, b):\n    return a\n", "return f(x, x.y)", "return x"),
        ("def f(a):\n    a.b = C(a)\n    a.c = 1\n", "f(self)", "self.b = C(self)\nself.c = 1"),
        ("def f(a, b):\n    a.b = b\n", "f(self, g(x))", "self.b = g(x)"),
        ("def f(a):\n    if a:\n        raise g(a)\n", "if x:\n    f(x)", "if x:\n    if x:\n        raise g(x)"),
        ("def f(a):\n    return g(a)\n", "f(x)", "g(x)"),
    ],
)
def test_moves(function: str, body: str, expected: str) -> None:
    assert absorbed(function + main_of(body)) == main_of(expected).strip()


@pytest.mark.parametrize(
    ("function", "body"),
    [
        # A name would mean something else.
        ("def f(a):\n    return g(a)\n", "g = 1\nreturn f(x)"),
        ("def f(a):\n    return g(a)\n", "return [f(x) for g in x]"),
        ("def f(a):\n    return self(a)\n", "return f(x)"),
        ("def f(a):\n    return a.__secret\n", "return f(x)"),
        # An argument would run twice, perhaps not at all, too late, or in another order.
        ("def f(a):\n    return a + a\n", "return f(g(x))"),
        ("def f(a):\n    return 1 and a\n", "return f(g(x))"),
        ("def f(a):\n    return [a for _ in 1]\n", "return f(g(x))"),
        ("def f(a):\n    return (a for _ in 1)\n", "return f(g(x))"),
        ("def f(a, b):\n    return b - a\n", "return f(g(x), g(self))"),
        ("def f(a, b):\n    return (a + 1) * b\n", "return f(g(x), g(self))"),
        ("def f(a):\n    return h() + a\n", "return f(g(x))"),
        ("def f(a, b):\n    return b.c + a\n", "return f(g(x), x)"),
        ("def f(a, b):\n    return b\n", "return f(g(x), x)"),
        ("def f(a, b):\n    a.b = 1\n    b.c = 2\n", "f(self, x.d)"),
        ("def f(a, b):\n    b.c = a.d\n", "f(self, g(x))"),
        ("def f(a, b):\n    return {b: a}\n", "return f(g(x), g(self))"),
        ("def f(a, b):\n    return b - a\n", "return f((x := 1), x)"),
        # A generator could see another value.
        ("def f(a):\n    return (y + a for y in 1)\n", "y = f(x)\nx = 2\nreturn y"),
        ("def f(a):\n    return (y + a for y in 1)\n", "for z in x:\n    self += f(z)"),
        # What it sets, opens, defines or waits for is its own.
        ("def f(a):\n    b = a\n    g(b)\n", "f(x)"),
        ("def f(a):\n    for _ in a:\n        g()\n", "f(x)"),
        ("def f(a):\n    a += 1\n    g(a)\n", "f(x)"),
        ("def f(a):\n    with a as b:\n        g()\n", "f(x)"),
        ("def f(a):\n    return lambda: a\n", "return f(x)"),
        ("def f(a):\n    return (b := a)\n", "return f(x)"),
        ("def f(a):\n    return (yield a)\n", "return f(x)"),
        ("def f(a):\n    global c\n    c = a\n", "f(x)"),
        ("def f(a):\n    if a:\n        return\n    g()\n", "f(x)"),
        ("def f(a):\n    g(a)\n    return 2\n", "f(x)"),
        ("def f(a):\n    g(a)\n", "return f(x)"),
        ("async def f(a):\n    return a\n", "return f(x)"),
        ("@torch.no_grad()\ndef f(a):\n    return a + 1\n", "return f(x)"),
        # Not every call is seen, or not what it passes.
        ("def f(a):\n    return a + 1\n", "return f(x) + f(2)"),
        ("def f(a):\n    return a + 1\n", "return f(*x)"),
        ("def f(a):\n    return a + 1\n", "return f"),
        ("def f(a):\n    return a + 1\n", "return f()"),
        ("def f(a):\n    return f(a + 1)\n", "return 2"),
    ],
)
def test_stays(function: str, body: str) -> None:
    source = function + main_of(body)
    assert absorbed(source) == ast.unparse(ast.parse(source))


def test_a_variable_that_others_set_is_read_when_it_was() -> None:
    source = (
        "counter = 0\n"
        "def bump():\n    global counter\n    counter += 1\n    return counter\n"
        "def pair(old, new):\n    return old, new\n"
        "def main():\n    print(pair(counter, bump()))\n    print(bump())\n"
        "main()\n"
    )
    assert printed(absorbed(source)) == printed(source) == "(0, 1)\n2\n"


def test_the_start_stays() -> None:
    source = "def main(x):\n    return x + 1\ndef again():\n    return main(2)\n"
    assert "def main" in absorbed(source)


def test_behaves_the_same() -> None:
    source = """
class Gate:
    def __init__(self, width):
        self.width = width
        values = [3, 4]
        initialize(self, values)
    def apply(self, rows):
        rows = shifted(self, scaled(self.width, rows))
        report("applied", len(rows))
        return rows
def initialize(gate, values):
    gate.values = values
    gate.total = sum_of_squares(values)
def sum_of_squares(values):
    return sum(value * value for value in values)
def scaled(width, rows):
    return stretched(width, [row + 1 for row in rows])
def stretched(width, rows):
    return [row * width for row in rows]
def shifted(gate, rows):
    return [row + offset for row, offset in zip(rows, gate.values)] + [gate.total]
def report(text, count):
    print(f"{text} {count}")
def main():
    row = 5
    print(Gate(2).apply([row, 6]), row)
main()
"""
    text = absorbed(source)
    assert [line for line in text.splitlines() if line.startswith("def ")] == [
        "def scaled(width, rows):",
        "def report(text, count):",
        "def main():",
    ]
    assert printed(text) == printed(source) == "applied 3\n[15, 18, 25] 5\n"


def test_notes_on_nodes_that_all_trees_share_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-minifier leaves there the tree that it printed last."""
    tree: ast.expr = ast.Constant(0)
    for _ in range(2000):
        tree = ast.UnaryOp(ast.Not(), tree)
    load = ast.parse("x", mode="eval").body.ctx  # type: ignore[attr-defined]
    monkeypatch.setattr(load, "note", tree, raising=False)
    assert (
        absorbed("def f(a):\n    return a + 1\n" + main_of("return f(x) * 2")) == main_of("return (x + 1) * 2").strip()
    )
