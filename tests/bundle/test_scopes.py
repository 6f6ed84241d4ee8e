"""Which name means what: as CPython's own `symtable` says, over generated programs and its standard library."""

import ast
import symtable
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.bundle.minify.equal import prove_equal_up_to_names
from toolkit.bundle.minify.rename import rename
from toolkit.bundle.rewrite.scopes import Binding, find_bindings, star_imports

_COMPREHENSIONS = {ast.ListComp: "listcomp", ast.SetComp: "setcomp", ast.DictComp: "dictcomp"}
_TABLES = ("module", "function", "class")
_Place = tuple[str, int]  # name and first line of a scope


class _Generators(ast.NodeTransformer):
    """From Python 3.12 on `symtable` counts the names of other comprehensions to the function around."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(ast.GeneratorExp(node.elt, node.generators), node)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        self.generic_visit(node)
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        return ast.copy_location(ast.GeneratorExp(pair, node.generators), node)


def by_symtable(source: str) -> tuple[dict[_Place, dict[str, str]], set[str]]:
    """Kinds of the names of every scope that is alone at its place, and all names that the module binds."""
    tables: dict[_Place, list[symtable.SymbolTable]] = {}
    waiting = [symtable.symtable(source, "program", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        if str(table.get_type()).rpartition(".")[2].lower() in _TABLES:
            tables.setdefault((table.get_name(), table.get_lineno()), []).append(table)
    found = {place: {s.get_name(): kind(s) for s in table.get_symbols()} for place, (table, *_) in tables.items()}
    every = [table for group in tables.values() for table in group]
    binders = [(t, s) for t in every for s in t.get_symbols() if s.is_assigned() or s.is_imported()]
    bound = {s.get_name() for t, s in binders if t.get_type() == "module" or s.is_declared_global()}
    return {place: kinds for place, kinds in found.items() if len(tables[place]) == 1}, bound


def kind(symbol: symtable.Symbol) -> str:
    if symbol.is_free():
        return "free"
    return "local" if symbol.is_local() else "global"


def place(node: ast.AST) -> _Place:
    match node:
        case ast.Module():
            return "top", 0
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name, node.lineno
    return ("lambda" if isinstance(node, ast.Lambda) else "genexpr"), node.lineno  # type: ignore[attr-defined]


def by_us(bindings: list[Binding]) -> dict[_Place, dict[str, str]]:
    found: dict[_Place, dict[str, str]] = {}
    for binding in bindings:
        if binding.scope:  # with `:=` in a comprehension no mention is where the name is bound
            found.setdefault(place(binding.scope.node), {})[binding.name] = "local"
        for mention in binding.mentions:
            is_global = binding.scope is None or binding.scope.parent is None
            which = "local" if binding.scope is mention.scope else "global" if is_global else "free"
            if (
                found.setdefault(place(mention.scope.node), {}).get(binding.name) != "local"
            ):  # which a class reads first
                found[place(mention.scope.node)][binding.name] = which
    return found


def check(source: str) -> int:
    """Compare with CPython; returns the number of names compared."""
    source = ast.unparse(ast.fix_missing_locations(_Generators().visit(ast.parse(source))))
    expected, bound = by_symtable(source)
    bindings = find_bindings(ast.parse(source))
    found = by_us(bindings)
    compared = 0
    for scope, kinds in expected.items():
        if scope == ("top", 0):
            continue  # names of the module are compared below
        ours = found.get(scope, {})
        unmentioned = {name for name in kinds.keys() - ours.keys() if kinds[name] != "free" and name.isidentifier()}
        assert not unmentioned - {"__class__"}
        assert {name: which for name, which in kinds.items() if name in ours} == ours
        compared += len(ours)
    assert {b.name for b in bindings if b.scope and b.scope.parent is None} == bound
    return compared


NAMES = st.sampled_from(["x", "y", "z", "__p", "_C__p", "print"])
SIMPLE = [
    "{a} = {b}",
    "{a} += {b}",
    "{a}: {b} = {c}",
    "({a}): {b}",
    "del {a}",
    "print({a}, {b})",
    "for {a} in {b}: {c}",
    "with {a} as {b}: {c}",
    "try: {a}\nexcept {b} as {c}: {a}",
    "import {a}, m.n as {b}",
    "from m import {a} as {b}, {c}",
    "import {a}.n",
    "match {a}:\n    case [{b}, *{c}]: {b}\n    case {{1: {a}, **{b}}}: {c}\n    case K(k={c}) as {b}: {a}",
    "[{a} for {b} in {a} if {c}]",
    "{{{a}: {b} for {a} in {c} for {b} in {a}}}",
    "[({a} := {b}) for z9 in {c}]",
    "({a} := {b})",
    "lambda {a}, *{b}, {c}={a}: ({a}, {b})",
    "(lambda: ({a} := {b}), {c})",
]
OPENERS = ["def {a}({b}, *, {c}={a}):", "async def {a}({b}: {c}) -> {a}:", "class {A}({a}):", "class {A}:"]


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@st.composite
def blocks(draw: st.DrawFn, depth: int) -> str:
    """Statements, each with names of its own choice; not all of it is Python."""
    lines = []
    if depth < 3:
        declared = draw(st.sampled_from(["", "", "global {a}", "nonlocal {a}"]))
        lines.append(declared.format(a=draw(NAMES)))
    for _ in range(draw(st.integers(1, 4))):
        names = {"a": draw(NAMES), "b": draw(NAMES), "c": draw(NAMES), "A": draw(st.sampled_from(["C", "__p", "D"]))}
        if depth and draw(st.booleans()):
            inner = draw(blocks(depth - 1))
            lines.append(draw(st.sampled_from(OPENERS)).format(**names) + "\n" + indented(inner))
        else:
            lines.append(draw(st.sampled_from(SIMPLE)).format(**names))
    return "\n".join(line for line in lines if line)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(blocks(3))
def test_generated_programs_have_the_scopes_of_cpython(source: str) -> None:
    try:
        compile(source, "program", "exec", dont_inherit=True)
    except SyntaxError:
        return
    check(source)
    tree = ast.parse(source)
    rename(tree)
    prove_equal_up_to_names(ast.parse(source), tree)


LIBRARY = sorted(Path(ast.__file__).parent.glob("[a-t]*.py"))[::5]


@pytest.mark.skipif(not LIBRARY, reason="this interpreter has no source of its standard library")
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_the_standard_library_has_the_scopes_of_cpython() -> None:
    sources = [path.read_text(encoding="utf-8") for path in LIBRARY]
    assert sum(check(source) for source in sources if "import annotations" not in source) > 1000


def fixed(source: str) -> set[str]:
    return {binding.name for binding in find_bindings(ast.parse(source)) if binding.is_fixed}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\nclass A:\n    x = x", {"x"}),
        ("x = 1\nclass A:\n    x += 1", {"x"}),
        ("class A:\n    print = print", {"print"}),
        ("def f(x):\n    class A:\n        x = x\nx = 1", {"x"}),
        ("x = 1\nclass A:\n    x = 1\n    def f(self): return x", set()),
        ("x = 1\nclass A:\n    y = [x for x in y]\ny = 1", {"y"}),
        ("class A:\n    def f(self, __a): return __a", {"A", "_A__a"}),
        ("_A__b = 1\nclass A:\n    def f(self): return __b", {"A", "_A__b"}),
        ("class A:\n    def f(self): return self.__b", {"A"}),
        ("class A:\n    def f(self): return self.__b__", set()),
        ("class __A:\n    class B:\n        c = 1", set()),
        ("x = 1\nfrom m import *\ndef f(y): return y, x", {"x", "f"}),
    ],
)
def test_names_that_must_stay(source: str, expected: set[str]) -> None:
    assert fixed(source) == expected


def test_a_read_that_may_find_a_global_is_a_mention_of_both() -> None:
    bindings = find_bindings(ast.parse("x = 1\nclass A:\n    x = x"))
    assert Counter(len(b.mentions) for b in bindings if b.name == "x") == Counter([2, 2])


def test_star_imports_are_found() -> None:
    tree = ast.parse("from a import *\ntry:\n    from b import *\nexcept ImportError:\n    from c import d")
    assert [node.module for node in star_imports(tree)] == ["a", "b"]
