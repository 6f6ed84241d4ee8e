"""Source of trees: f-strings that every Python from 3.11 on reads, written in one way."""

import ast
from pathlib import Path

import pytest

from toolkit.syntax.parse import parse
from toolkit.syntax.unparse import unparse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("""f'{a["b"]}' """, """f"{a['b']}" """),
        ("""f'{", ".join(a)}: {f"{b!r:>{c}}"}' """, """f"{', '.join(a)}: {f'{b!r:>{c}}'}" """),
        ("""f'it\\'s {a}\\n' """, """f"it's {a}\\n" """),
        ("""f"{'\\t'.join(a)}\\t" """, """f"{'\t'.join(a)}\\t" """),
        ("x = [f'{a}' for a in f'{b}']", "x = [f'{a}' for a in f'{b}']"),
    ],
)
def test_quotes_in_a_field_are_not_those_around_it(source: str, expected: str) -> None:
    assert unparse(parse(source.strip())) == expected.strip()


@pytest.mark.parametrize("field", ["a", "a['b']", "f'{a}'", "{1: a}[1]", "a if a else a", "(lambda: a)()", "a,"])
@pytest.mark.parametrize("text", ["", "'", '"', "'\"", "'''", '"""', "'''\"\"\"", "\\", "\n", "\t", "{'}", "\0é\u200b"])
def test_the_value_is_the_same(text: str, field: str) -> None:
    value = ast.parse(field, mode="eval").body
    specification = ast.JoinedStr([ast.Constant("")])
    pieces = [ast.Constant(text), ast.FormattedValue(value, ord("r"), specification), ast.Constant(text)]
    tree = ast.fix_missing_locations(ast.Expression(ast.JoinedStr(pieces)))
    values = {"a": {"b": 1}}
    assert eval(unparse(tree), values) == eval(compile(tree, "", "eval"), values)


@pytest.mark.parametrize("source", ["f'{a[b\"\\0\"]}' ", "f\"{'\\\\'.join(a)}\" ", """f"{f'{f"{f'{a["b"]}'}"}'}" """])
def test_what_only_a_newer_python_can_read(source: str) -> None:
    with pytest.raises(ValueError, match="a field of an f-string"):
        unparse(parse(source.strip()))


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("*.py"))[::8], ids=lambda path: path.name)
def test_files_of_the_standard_library_keep_their_tree(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.dump(ast.parse(unparse(tree))) == ast.dump(tree)
