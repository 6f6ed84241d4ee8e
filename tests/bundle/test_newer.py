"""Reading f-strings of Python 3.12: the trees are those of the same program written for an older one."""

import ast
import sys
from pathlib import Path

import pytest

from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError
from toolkit.syntax.parse import NotReadable, parse_newer
from toolkit.unpack.unpack import parse_source, unpack


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("""f"{", ".join(a)}" """, """f"{', '.join(a)}" """),
        ("""f'{d['k']} {d["k"]}' """, '''f"""{d['k']} {d["k"]}""" '''),
        ("""f"{'yes'if a else"no"}" """, '''f"""{'yes'if a else"no"}""" '''),
        ("""x = f"{f"{f"{a}"}"}" """, """x = f{0}{f'{f"{a}"}'}{0}""".replace("{0}", '"' * 3)),
        ("""f"{a["b"]!r:>{w["x"]}}{{}}" """, """f"{a['b']!r:>{w['x']}}{{}}" """),
        ("""rf"\\d{a["b"]}\\{{" """, """rf"\\d{a['b']}\\{{" """),
        ("""f"\\N{EN DASH}{a["b"]}\\"" """, """f"\\N{EN DASH}{a['b']}\\"" """),
        ("f'{a[\n'b'\n]}' ", "f'''{a[\n\"b\"\n]}''' "),
        ("f'{a[  # a comment }'\n'b']}' ", "f'{a[\"b\"]}' "),
        (
            """b"f'{" ; f"{x['k'] != "v"}" ; '#' ; r'\\a'""",
            """b"f'{" ; f{0}{x['k'] != "v"}{0} ; '#' ; r'\\a'""".replace("{0}", "'" * 3),
        ),
        ("""f" {a["b"]=} {a["b"] = :>3}" """, '''f""" a["b"]={a["b"]!r} a["b"] = {a["b"]:>3}""" '''),
        ("f'''{a['''b''']}{'}'}''' ", "f'''{a[\"b\"]}{\"}\"}''' "),
    ],
)
def test_same_tree(newer: str, older: str) -> None:
    assert ast.dump(parse_newer(newer.strip())) == ast.dump(ast.parse(older.strip()))


def test_backslashes_and_lambdas() -> None:
    tree = parse_newer("""f"{'\\n'.join(a)} {(lambda x: x["k"])(b)}" """.strip())
    fields = [ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)]
    assert fields == ["'\\n'.join(a)", "(lambda x: x['k'])(b)"]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('x = 1\ny = f"{a["b"]}"\nz = c', {"x": 1, "y": 2, "a": 2, "z": 3, "c": 3}),
        ("x = f'{a[\n\n\"b\"\n]!r:>{n}}' + y\nz = c", {"x": 1, "a": 1, "n": 4, "y": 4, "z": 5, "c": 5}),
        ("x = rf'\\d{a[\n'b']}\\'' + y\nz", {"x": 1, "a": 1, "y": 2, "z": 3}),
        ("x = f'''\n{a[\n'b'\n]}{b}\n''' + y\nz", {"x": 1, "a": 2, "b": 4, "y": 5, "z": 6}),
        ("x = f'{f'{a[\n\"b\"\n]}'}' + y", {"x": 1, "a": 1, "y": 3}),
    ],
)
def test_positions_are_those_of_the_field(source: str, lines: dict[str, int]) -> None:
    assert {n.id: n.lineno for n in ast.walk(parse_newer(source)) if isinstance(n, ast.Name)} == lines


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("""f"{a["b"]=}" """, """a["b"]='c'"""),
        (r"""rf"\d{ a["b"] = }" """, r"""\d a["b"] = 'c'"""),
        ("""f"{a["b"]=!s} {a["b"]=:>3}" """, """a["b"]=c a["b"]=  c"""),
        (r"""f"{"{}\n"=}" """, r""""{}\n"='{}\n'"""),
        ("""f"{f"{a["b"]=}"=}" """, r"""f"{a["b"]=}"='a["b"]=\'c\''"""),
        ("""f"{a[\n"b"]=}" """, """a[\n"b"]='c'"""),
    ],
)
def test_a_field_may_show_its_own_text(source: str, value: str) -> None:
    (stmt,) = parse_newer(source.strip()).body
    assert isinstance(stmt, ast.Expr)
    expression = ast.Expression(stmt.value)
    assert eval(compile(expression, "", "eval"), {"a": {"b": "c"}}) == value


@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("*.py"))[::12], ids=lambda path: path.name)
def test_ordinary_source_is_copied_as_it_is(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    try:
        tree = parse_newer(source)
    except NotReadable:
        return
    assert ast.dump(tree) == ast.dump(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    ["x = = 1", 'f"{a["b"]', 'f"{a["b"]} ', "'", "f'\\N{'", 'f"{a["b" c]}"', 'f"{', 'f"{a!', 'f"{a["b"]!r"'],
)
def test_what_cannot_be_read(source: str) -> None:
    with pytest.raises(NotReadable):
        parse_newer(source)
    if sys.version_info < (3, 12):
        with pytest.raises(GolfError, match="expected Python source"):
            parse_source(source)


@pytest.mark.parametrize("source", ["type X = int", "def f[T](x: T): pass", "class A[T]: pass"])
def test_syntax_of_a_newer_python_is_refused_by_all(source: str) -> None:
    with pytest.raises(GolfError, match="expected Python source"):
        parse_source(source)


def test_packing_writes_what_an_older_python_reads() -> None:
    source = 'x = {"key": 1}\nprint(f"{x["key"]} {", ".join("ab")}")\n'
    packed = unpack(pack_script(source.encode()).packed).source
    assert packed.splitlines()[-1] == """print(f"{A['key']} {', '.join('ab')}")"""
