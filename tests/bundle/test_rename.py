"""Short names: same behaviour, scopes respected, and nothing renamed that others see."""

import ast
import contextlib
import io
from pathlib import Path

import pytest

from toolkit.bundle.minify.rename import rename, short_names
from toolkit.bundle.rewrite.scopes import find_bindings


def renamed(source: str) -> str:
    tree = ast.parse(source)
    rename(tree)
    return ast.unparse(tree)


def printed(source: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script", "exec"), {"__name__": "__main__"})
    return out.getvalue()


PROGRAMS = {
    "closures": """
def outer(first, second):
    total = first
    def inner(third):
        nonlocal total
        total += third + second
        return total
    return [inner(value) for value in range(3)]
print(outer(1, 2))
""",
    "globals": """
counter = 0
def advance():
    global counter
    counter += 1
    local = counter
    return local
print(advance(), advance(), counter)
""",
    "classes": """
class Shape:
    sides = 4
    double = sides * 2
    def area(self, width, sides=sides):
        return width * sides + self.sides
    @property
    def name(self):
        return __class__.double
class Square(Shape):
    def area(self, width):
        return super().area(width) + 1
print(Square().area(3), Shape().name, Shape().area(2, sides=5))
""",
    "comprehensions": """
values = [1, 2, 3]
def squares(values):
    return [values * 2 for values in values], {key: value for key, value in enumerate(values) if key}
print(squares(values), [(a, b) for a in values for b in range(a)])
print((lambda x, *rest, **named: (x, rest, named))(1, 2, k=3))
""",
    "walrus": """
def first(items):
    if any((found := item) > 1 for item in items):
        return found
print(first([1, 2, 3]))
""",
    "imports": """
import os.path
import math as mathematics, collections
from functools import reduce, partial as part
def f(x):
    import json
    return json.dumps([mathematics.floor(x), reduce(lambda a, b: a + b, [1, 2]), os.path.sep])
print(f(1.5), part(f, 2.5)(), collections.Counter("aab")["a"])
""",
    "exceptions": """
def attempt(action):
    try:
        return action()
    except (ZeroDivisionError, KeyError) as error:
        message = type(error)
        return message is ZeroDivisionError
    finally:
        print("done")
print(attempt(lambda: 1 / 0), attempt(lambda: 5))
""",
    "matching": """
def kind(value):
    match value:
        case {"a": inner, **others}:
            return inner, others
        case [head, *tail]:
            return head, tail
        case str() as text:
            return text
print(kind({"a": 1, "b": 2}), kind([1, 2, 3]), kind("s"))
""",
    "keywords": """
def scale(value, factor=2, *, offset=0):
    return value * factor + offset
def call(function, **options):
    return function(3, **options)
print(scale(1, offset=4), scale(2, factor=3), call(scale, factor=5), call(function=scale))
""",
    "late": """
def early():
    return later(limit)
def later(x):
    return x + 1
limit = 41
print(early())
""",
    "many": "def f(" + ", ".join(f"argument_{i}" for i in range(80)) + "):\n    return argument_0 + argument_79\n"
    "print(f(*range(80)))\n",
}


CROWDED = "def f():\n" + "".join(f"    name_{i} = {i}\n" for i in range(60))
CROWDED += (
    "    def g(l):\n        return l + "
    + " + ".join(f"name_{i}" for i in range(60))
    + "\n    return g(1)\nprint(f())\n"
)


def test_a_short_name_that_is_taken_by_then_is_not_kept() -> None:
    assert printed(renamed(CROWDED)) == printed(CROWDED)


@pytest.mark.parametrize("name", PROGRAMS)
def test_behaviour_stays(name: str) -> None:
    source = PROGRAMS[name]
    assert printed(renamed(source)) == printed(source)
    assert len(renamed(source)) < len(ast.unparse(ast.parse(source)))


@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("[a-f]*.py"))[::7], ids=lambda path: path.name)
def test_structure_of_the_standard_library_stays(path: Path) -> None:
    """Names apart, the tree is the same; and each scope tells its names apart as before."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    before = [(id(b.scope.node) if b.scope else None, len(b.mentions)) for b in find_bindings(tree)]
    rename(tree)
    after = [(id(b.scope.node) if b.scope else None, len(b.mentions)) for b in find_bindings(tree)]
    assert after == before
    again = ast.parse(ast.unparse(tree))
    assert [type(n) for n in ast.walk(again)] == [type(n) for n in ast.walk(ast.parse(source))]


def test_what_others_see_stays() -> None:
    source = """
import os
class Model:
    def __init__(self, width):
        self.weight = width
        self.state_dict_entry = os.environ.get("DATA_PATH", "x")
def build(width):
    print(f"val_loss:{width:.4f}")
    return Model(width=width)
"""
    text = renamed(source)
    for kept in ("weight", "state_dict_entry", "DATA_PATH", "val_loss:", "environ", "width="):
        assert kept in text
    for gone in ("Model", "build", "self"):
        assert gone not in text


def test_short_names_are_neither_keywords_nor_builtins() -> None:
    names = [name for name, _ in zip(short_names("ab"), range(4000), strict=False)]
    assert names[:3] == ["a", "b", "c"]
    assert len(set(names)) == len(names)
    assert not {"as", "if", "in", "is", "or", "id"} & set(names)
