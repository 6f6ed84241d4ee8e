"""What constants decide: statement by statement, and equal behaviour on generated programs."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.bundle.rewrite.simplify import simplify


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if 1:\n    a()\nelse:\n    b()\n", "a()\n"),
        ("if 0:\n    a()\nelse:\n    b()\n", "b()\n"),
        ("if x:\n    a()\nelif 0:\n    b()\n", "if x:\n    a()\n"),
        ("if x:\n    a()\nelif 1:\n    b()\nelse:\n    c()\n", "if x:\n    a()\nelse:\n    b()\n"),
        ("if 0:\n    a()\nelif x:\n    b()\nelse:\n    c()\n", "if x:\n    b()\nelse:\n    c()\n"),
        ("if x:\n    a()\nelse:\n    if 1:\n        b()\n", "if x:\n    a()\nelse:\n    b()\n"),
        ("if 0:\n    a()\nelif 0:\n    b()\n", "pass\n"),
        ("if x:\n    if 0:\n        a()\n", "pass\n"),
        ("if f(x):\n    if 0:\n        a()\n", "if f(x):\n    pass\n"),
        ("while 0:\n    a()\n", "pass\n"),
        ("while 1 < 2:\n    a()\n", "while True:\n    a()\n"),
        ("assert 1, f()\n", "pass\n"),
        ("assert 0, 'never'\n", "assert 0, 'never'\n"),
        ("for i in x:\n    continue\n    a()\n", "for i in x:\n    continue\n"),
        ("def f():\n    raise E\n    a()\n", "def f():\n    raise E\n"),
        ("def f():\n    return\n    yield\n", "def f():\n    return\n    yield\n"),
        ("def f():\n    yield 1\n    return\n    yield\n", "def f():\n    yield 1\n    return\n"),
        ("def f(x):\n    a = x.b\n    return x\n", "def f(x):\n    return x\n"),
        ("def f(x):\n    a: int = 1\n    b: int\n    return x\n", "def f(x):\n    return x\n"),
        ("def f(x):\n    a = g()\n    return x\n", "def f(x):\n    a = g()\n    return x\n"),
        ("def f(x):\n    a = 1\n    return lambda: a\n", "def f(x):\n    a = 1\n    return lambda: a\n"),
        ("def f(x):\n    a = 1\n    a += x\n", "def f(x):\n    a = 1\n    a += x\n"),
        ("def f():\n    global a\n    a = 1\n", "def f():\n    global a\n    a = 1\n"),
        ("class A:\n    a = 1\n", "class A:\n    a = 1\n"),
        ("y = x and 1 and z\n", "y = x and z\n"),
        ("y = x and 0 and z\n", "y = x and 0\n"),
        ("y = x or 0 or z\n", "y = x or z\n"),
        ("y = x and 1\n", "y = x and 1\n"),
        ("if x and 1:\n    a()\n", "if x:\n    a()\n"),
        ("if not (x or 0):\n    a()\n", "if not x:\n    a()\n"),
        ("y = (a or b) and 1 and c\n", "y = (a or b) and c\n"),
        ("y = 1 and (a, b)\n", "y = (a, b)\n"),
        ("y = (a + b if 1 else c) * 2\n", "y = (a + b) * 2\n"),
        ("y = (lambda: a) if 1 else c\n", "y = lambda: a\n"),
        ("y = ((lambda: a) if 1 else c)()\n", "y = (lambda: a)()\n"),
        ("y = [(z := a) if 1 else c]\n", "y = [(z := a)]\n"),
        ("y = f(\n    (a +\n     b) if 1 else c\n)\n", "y = f(a + b)\n"),
        ("y = (a +\n     b) if 1 else c\n", "y = (a +\n     b)\n"),
        ("y = (1 - 3) ** 2 ** x\n", "y = (-2) ** 2 ** x\n"),
        ("y = x * (1 - 3)\n", "y = x * -2\n"),
        ("y = (2 + 3).real + (4 - 5).real\n", "y = (5).real + (-1).real\n"),
        ("y = x[1 + 1], x[1 + 1 :]\n", "y = x[2], x[2:]\n"),
        ("x[1 + 1] = f(a=1 + 1)\n", "x[2] = f(a=2)\n"),
        ("y = f'{1}{x}{2:03d}{\"s\"!r}'\n", "y = f\"1{x}002's'\"\n"),
        ("y = f'{1}'\n", "y = '1'\n"),
        ("y = f\"a{x['k']}{1}\"\n", "y = f\"a{x['k']}1\"\n"),
        ("def f(a: 1 + 1) -> 1 + 1:\n    pass\n", "def f(a: 1 + 1) -> 1 + 1:\n    pass\n"),
        ("def f(max):\n    return max(1, 2)\n", "def f(max):\n    return max(1, 2)\n"),
        ("try:\n    a()\nexcept E:\n    if 0:\n        b()\n", "try:\n    a()\nexcept E:\n    pass\n"),
        ("if 1: a(); b()\nelse: c()\n", "a()\nb()\n"),
        ("match x:\n    case 1:\n        if 0:\n            a()\n", "match x:\n    case 1:\n        pass\n"),
    ],
)
def test_simplifies(source: str, expected: str) -> None:
    assert ast.dump(ast.parse(simplify(source))) == ast.dump(ast.parse(expected))


def test_text_that_nothing_decides_stays_as_it_is() -> None:
    source = 'def f( x ):  # odd  spacing\n\n\n    """Doc."""\n    return  x;\n'
    assert simplify(source) == source


def test_lines_inside_strings_keep_their_indentation() -> None:
    source = 'if 1:\n    x = """a\n    b\n  c"""\n    y = f"""d\n    {x}"""\n'
    assert simplify(source) == 'x = """a\n    b\n  c"""\ny = f"""d\n    {x}"""\n'


def test_tabs_and_characters_of_many_bytes() -> None:
    assert simplify("if 1:\n\tx = 'é▁' if 1 else 2\n\ty = 1 + 1  # ▁\n") == 'x = "é▁"\ny = 2  # ▁\n'


NAMES = st.sampled_from(["a", "b", "0", "1", "2", "True", "False", "''", "'s'", "None"])
TESTS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or", "==", "!=", "is"]), inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda text: f"(not {text})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        inner.map(lambda text: f"f'{{{text}}}'" if "'" not in text else text),
    ),
    max_leaves=8,
)


def indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def grow_block(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.one_of(
        st.tuples(TESTS, inner, TESTS, inner, inner).map(
            lambda t: [f"if {t[0]}:", *indent(t[1]), f"elif {t[2]}:", *indent(t[3]), "else:", *indent(t[4])]
        ),
        st.tuples(TESTS, inner).map(lambda t: [f"if {t[0]}:", *indent(t[1])]),
        st.tuples(TESTS, inner).map(lambda t: ["for i in range(2):", *indent([f"if {t[0]}:", "    break", *t[1]])]),
        st.tuples(TESTS, inner).map(lambda t: [f"while {t[0]}:", *indent([*t[1], "break"])]),
        st.tuples(inner, inner).map(lambda t: [*t[0], "# a comment", *t[1]]),
        TESTS.map(lambda test: [f"assert {test} or True", f"log(({test}))"]),
        TESTS.map(lambda test: [f"return {test}"]),
        TESTS.map(lambda test: [f"c = {test}"]),
        st.just(["pass"]),
    )


BLOCKS = st.recursive(TESTS.map(lambda test: [f"log({test})"]), grow_block, max_leaves=6)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(BLOCKS, st.sampled_from([0, 1, "s", None]), st.sampled_from([0, 1, "", None]))
def test_behaves_the_same(block: list[str], a: object, b: object) -> None:
    source = "\n".join(["def f(a, b, log):", *indent(block), ""])
    results = []
    for text in (source, simplify(source)):
        calls: list[object] = []
        namespace: dict[str, object] = {}
        exec(text, namespace)
        results.append((namespace["f"](a, b, calls.append), calls))  # type: ignore[operator]
    assert repr(results[0]) == repr(results[1])
