"""Constant expressions: they fold to what Python evaluates, or not at all."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.syntax.constants import NotConstant, evaluate, is_literal, is_literal_value, literal

ATOMS = st.one_of(
    st.integers(-20, 2000).map(repr),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.sampled_from(["True", "False", "None", "'a'", '"ab"', "b'x'", "()", "(1, 'b')", "(2,)"]),
)
BINARY = ["+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^"]
COMPARE = ["<", "<=", ">", ">=", "==", "!=", "in", "not in", "is", "is not"]


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(BINARY + COMPARE + ["and", "or"]), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(["-", "+", "~", "not "]), inner).map(lambda t: f"({t[0]}{t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, st.sampled_from(["<", "=="]), inner, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]} < {t[3]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} in [{t[1]}, 1])"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        st.tuples(st.sampled_from(["len", "abs", "int", "max", "str"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
    )


EXPRESSIONS = st.recursive(ATOMS, grow, max_leaves=6)


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
@given(EXPRESSIONS)
def test_folds_to_what_python_evaluates(text: str) -> None:
    try:
        value = evaluate(ast.parse(text, mode="eval").body)
    except NotConstant:
        return
    expected = eval(text)
    assert type(value) is type(expected)
    assert repr(value) == repr(expected)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.tuples))
def test_literal_is_read_back_exactly(value: object) -> None:
    if not is_literal_value(value):
        return
    back = eval(literal(value))
    assert repr(back) == repr(value)
    assert type(back) is type(value)
    assert is_literal(ast.parse(literal(value), mode="eval").body)


def test_strings_are_written_with_double_quotes() -> None:
    assert literal(("a", "it's", 'say "x"')) == '("a", "it\'s", \'say "x"\')'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f'{12:04d}|{0.5}|{\"x\"!r}|{1 + 1}'", "0012|0.5|'x'|2"),
        ("1 < 2 < 3", True),
        ("0 and 1 / 0", 0),
        ("1 or 1 / 0", 1),
        ("2 if 1 else 1 / 0", 2),
        ("None is None", True),
        ("('a', 'b')[1]", "b"),
        ("'gptq' in ('gptq', 'x') and 3 not in {1, 2}", True),
        ("max(3, 1) - min(3, 1)", 2),
    ],
)
def test_evaluates(text: str, expected: object) -> None:
    assert evaluate(ast.parse(text, mode="eval").body) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "f(1)",
        "1 / 0",
        "1e308 * 10",  # inf has no literal
        "2 ** 1000",
        "1 << 100000",
        "'a' * 10**9",
        "(0,) * 5000",
        "[1, 2]",
        "{1}",
        "'%s' % 1",
        "1 is 1",
        "...",
        "1j",
        "print(1)",
        "sum((0.1, 0.2, 0.3))",
        "len('a', key=1)",
    ],
)
def test_is_no_constant(text: str) -> None:
    with pytest.raises(NotConstant):
        evaluate(ast.parse(text, mode="eval").body)


def test_own_names_are_not_taken_for_builtins() -> None:
    with pytest.raises(NotConstant):
        evaluate(ast.parse("max(1, 2)", mode="eval").body, frozenset({"max"}))
