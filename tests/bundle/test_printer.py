"""The shortest text of a program: what every Python prints, and that Python 3.11 reads it."""

import ast
import sys

import pytest

from toolkit.bundle.minify import printer
from toolkit.bundle.minify.printer import exact_text, reads_before_3_12, shortest_text
from toolkit.syntax.parse import parse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("""x = f'{a["b"]}' """, """x=f"{a['b']}" """),
        ("""x = f"{', '.join(a)}: {f'{b!r:>{c}}'}" """, """x=f"{', '.join(a)}: {f'{b!r:>{c}}'}" """),
        ("""x = f"{'\\t'.join(a)}\\t" """, """x=f"{'\t'.join(a)}\\t" """),
        ("""x = f"{a["it's"]}" """, '''x=f"""{a["it's"]}""" '''),
        ("if a:\n    b = '''\n\tc'''", "if a:b='\\n\\tc'"),
        ("if a:\n    while b: c(); d()", "if a:\n while b:c();d()"),
    ],
)
def test_text(source: str, expected: str) -> None:
    assert shortest_text(parse(source.strip())) == expected.strip()


def test_what_only_a_newer_python_can_read() -> None:
    with pytest.raises(ValueError, match="f-string"):
        exact_text(parse("""x = f"{a[b'\\0']}" """.strip()))


def test_a_line_break_in_a_field_is_written_as_one() -> None:
    tree = parse("""x = f"{'\\n'.join(a)}" """.strip())
    assert exact_text(tree) == "x = f'''{\"\"\"\n\"\"\".join(a)}'''"


@pytest.mark.parametrize(
    ("code", "is_older"),
    [
        ("""f"{a['b']:>{w['c']}}\\n" """, True),
        ('''f"""{a["b"]}\n{\nc}""" ''', True),
        ("""[f"{a}", "\\n"]""", True),
        ("""f"{a["b"]}" """, False),
        ("""f"{a:>{w["c"]}}" """, False),
        ("""f"{'\\n'}" """, False),
        ("""f"{f'{'b'}'}" """, False),
        ('''f"{a["""b"""]}" ''', False),
        ("""f"{a[\n0]}" """, False),
    ],
)
@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python reads no newer f-strings")
def test_what_python_3_11_reads(code: str, is_older: bool) -> None:
    assert reads_before_3_12(code.strip()) is is_older


CORNERS = """
if True: pass
while 0: x = 1
def f(): pass
class A: pass
for i in (): pass
else: pass
try: pass
finally: pass
x = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF, 10 ** 400, 1e308 * 10, 2 * 3j, -1j
x = 1e999, -1e999, (-1) ** 2, -1 ** 2, (1).real
x = (yield_ := 1), [*x, *()], {**{}, 'a': 1}, x[1:2, ...], x[::2], x[(1,)], x[a := 1], x[*x]
x = (lambda *a, b=1, **c: (a, b, c)), lambda: (yield), (lambda x, /, y: x), lambda: (x := 1), not (not x), -(-x), ~(-x)
x = a if b else (c if d else e), (a if b else c) if d else e, (a, b)
x = a < b < c, (a < b) < c, a and (b or c), (a and b) and c
x = u'text', b'\\xff\\x00', 'it\\'s', '\\ud800', '\\0', r'\\d', 'a' 'b'
x = f'{a!r:>{b}}' f'{{}}' f"{a['b']}" f'{a:%Y-%m-%d}' f'{{{a}}}' f'{a=}'
x = f'{a = !s}' f'{lambda_}' f'{(lambda: 1)}' f'{ {1: 2}[1]}'
@(lambda f: f)
@a.b[0](c)
@(x := d)
async def g(a: int, *b: str, c: 'x' = 1, **d: None) -> f'{a}':
    async with a as b, c as (d, e): await f
    async for i in a: yield await b
    else: return
    return [i async for i in a if await i], {j async for j in b}, (await k for k in l), await (await m), -await n
def h():
    x = yield
    x = yield 1, 2
    x = yield from y
    (yield)
    await_ = (yield x), (yield from y)
    return *x, 1
with (a as b, c as d): pass
with (yield_, b): pass
match x, y:
    case -1 | 1.5 | -2j | 1 + 2j | -1 - 2.5j | 'a' 'b' | b'c' | None | True: pass
    case [a, *_] | (a, *_): pass
    case [a] as b if b: pass
    case {'k': c, -1: d, A.b: e, **rest}: pass
    case A.B | A.B.C(): pass
    case A(1, b=[*_]) | (A() as b): pass
    case (A() | B()) as c: pass
    case {}: pass
    case []: pass
    case *a, b: pass
    case _: pass
def k(a, b=1, /, c=2, *, d, e=3): nonlocal_ = 1
try: a
except* (A, B) as e: raise
x: int
(x): int = 1
x.y: int = 2
global_: 'a' = lambda: 0
del (a), b[0], (c, d)
assert a, (b, c)
raise A(1, 2) from B
from . import a
from ..b import c as d, e
import a.b.c, d.e as f
print(*a, *b, c=1, **d, **e)
print((i for i in a), *(j for j in b))
print(i for i in a)
if a: b
elif c: d
else:
    if e: f
    else: g
"""


@pytest.mark.parametrize("stmt", ast.parse(CORNERS).body, ids=lambda stmt: f"line {stmt.lineno}")
def test_corners_are_printed_exactly(stmt: ast.stmt) -> None:
    tree = ast.Module([stmt], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = None  # the `u` of a string
    text = exact_text(tree)
    assert ast.dump(ast.parse(text)) == ast.dump(tree)
    assert len(text) < len(ast.unparse(tree))


def test_what_python_minifier_cannot_print_is_printed_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer._Printer, "visit_Lambda", lambda self, node: self.printer.identifier("wrong"))
    assert exact_text(ast.parse("x  =  1\ny = lambda:  0")) == "x=1\ny = lambda: 0"
    monkeypatch.delattr(printer._Printer, "visit_Lambda")
    monkeypatch.setattr(printer._Printer, "visit_JoinedStr", lambda self, node: self.visit_Unknown(node))
    assert exact_text(ast.parse("x  =  1\ny = f'{x}'")) == "x=1\ny = f'{x}'"
