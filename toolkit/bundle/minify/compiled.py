"""Python's own compiler as a witness: what its code objects say of a renaming, without a look at our idea of scopes.

The compiler resolves every name itself. Operations of both programs are walked side by side, and their names must be
related by a renaming that no run can notice:

- global names by one one-to-one map for the whole program, which changes only names that the program stores, never one
  of a builtin or one with double underscores, and none at all where `from module import *` may store any;
- variables of functions, cells among them, by a one-to-one map for each function; parameters by position;
- names that a class body stores not at all, so neither the global that it may find in their place;
- attributes, keywords, what is imported and all constants not at all.
"""

import ast
import dis
import inspect
import re
import warnings
from collections.abc import Iterator
from itertools import zip_longest
from types import CodeType
from typing import Any

from toolkit.syntax.standard import BUILTINS

_GLOBAL = {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"}
_NAME = {"LOAD_NAME", "STORE_NAME", "DELETE_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}  # of the module, or of a class body
_CLASS_CELL = {"LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}  # of the class body, else of a function around
_JUMPS = {dis.opname[op] for op in (*dis.hasjrel, *dis.hasjabs)}
# What the size of an index or a jump decides, or the order of cells, which is that of their names. How a method is
# called differs where any import has that name.
_SKIPPED = {"EXTENDED_ARG", "NOP", "CACHE", "PUSH_NULL", "MAKE_CELL", "COPY_FREE_VARS"}
_STAR = 2  # argument of CALL_INTRINSIC_1, which is IMPORT_STAR from Python 3.12 on
_NAMED = {*dis.hasname, *dis.haslocal, *dis.hasfree, *dis.hasconst}
_SINGLE = re.compile("[A-Z]+_FAST")
_CLOSURE = "LOAD_CLOSURE"

_Operation = tuple[str, Any]  # its name, and what it works on

_NOTHING: _Operation = ("nothing", None)


def compiled(tree: ast.Module) -> CodeType:
    """Code of a normal tree, which is used up, all of it in one line: the compiler looks at lines to merge jumps.

    Assignments may have a field `note`, their annotation. Annotations and defaults of parameters that go by keyword
    are evaluated beside their function: the compiler writes names of parameters as texts along with them. From Python
    3.12 on it moves comprehensions into the function around, where those that share a name share a variable. It leaves
    generators alone, so they stand in for comprehensions here: their scopes are the same. A condition becomes a list of
    itself, since it leaves out what a constant one never runs, and so does not say what is bound there.
    """
    tree = ast.fix_missing_locations(_Plain().visit(tree))
    for node in ast.walk(tree):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(tree, "program", "exec", dont_inherit=True)


def differences(before: CodeType, after: CodeType) -> Iterator[str]:
    """What makes two programs more than renamed, in words; nothing if they are the same."""
    comparison = _Comparison()
    yield from comparison.compare_code(_Pair(before, after, None))
    yield from comparison.conclude()


class _Plain(ast.NodeTransformer):
    def visit_If(self, node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        node.test = ast.copy_location(ast.List([node.test], ast.Load()), node.test)
        return node

    visit_While = visit_If
    visit_IfExp = visit_If

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(ast.GeneratorExp(node.elt, node.generators), node)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        self.generic_visit(node)
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        return ast.copy_location(ast.GeneratorExp(pair, node.generators), node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        notes = [arg.annotation for arg in every if arg] + [node.returns]
        node.decorator_list += [note for note in [*args.kw_defaults, *notes] if note]
        args.kw_defaults = [None] * len(args.kwonlyargs)
        node.returns = None
        for arg in every:
            if arg:
                arg.annotation = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        defaults = [default for default in node.args.kw_defaults if default]
        node.args.kw_defaults = [None] * len(node.args.kwonlyargs)
        return ast.copy_location(ast.Tuple([*defaults, node], ast.Load()), node) if defaults else node

    def visit_Assign(self, node: ast.Assign) -> list[ast.AST]:
        self.generic_visit(node)
        note = getattr(node, "note", None)
        return [ast.Expr(note), node] if note else [node]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.AST]:
        self.generic_visit(node)
        notes: list[ast.AST] = [ast.Expr(node.annotation)] if node.annotation else []
        node.annotation = ast.Constant(0)
        if isinstance(node.target, ast.Name):  # an assignment that is never compiled binds the name as well
            binds = [ast.Assign([node.target], ast.Constant(0))] if node.simple else []
            return [*notes, ast.If(ast.Constant(0), [*binds, ast.Pass()], [])]
        return [*notes, node]


class _Renaming(dict[str, str]):
    """A one-to-one map that grows."""

    def __init__(self) -> None:
        self.backward: dict[str, str] = {}

    def admits(self, one: str, other: str) -> bool:
        """Whether a pair fits what is known so far; from now on it is known."""
        return self.setdefault(one, other) == other and self.backward.setdefault(other, one) == one


class _Pair:
    """Two code objects that belong together."""

    def __init__(self, before: CodeType, after: CodeType, parent: "_Pair | None") -> None:
        self.before = before
        self.after = after
        self.parent = parent
        self.variables = _Renaming()
        self.operations = (_operations(before), _operations(after))
        self.is_class = parent is not None and not before.co_flags & inspect.CO_OPTIMIZED
        self.stored = [
            {name for operation, name in operations if operation in ("STORE_NAME", "DELETE_NAME")}
            for operations in self.operations
        ]

    def admits(self, one: str, other: str) -> bool:
        """Whether two variables belong to the same function and may stand for each other there."""
        pair = self
        while pair.parent and one in pair.before.co_freevars and other in pair.after.co_freevars:
            pair = pair.parent
        is_free = one in pair.before.co_freevars or other in pair.after.co_freevars
        return not is_free and pair.variables.admits(one, other)


def _operations(code: CodeType) -> list[_Operation]:
    """Operations without what depends on the place or order of names, pairs of them taken apart."""
    operations: list[_Operation] = []
    cells = {*code.co_cellvars, *code.co_freevars}
    for found in dis.get_instructions(code):
        name, value = found.opname, found.argval
        if name in _SKIPPED:
            continue
        if "_FAST" in name:  # from Python 3.13 on it may be two, as in LOAD_FAST_LOAD_FAST
            variables = value if isinstance(value, tuple) else (value,)
            names = _SINGLE.findall(name) if len(variables) > 1 else [name]
            pairs = zip(names, variables, strict=True)
            operations += [(_CLOSURE, None) if variable in cells else (n, variable) for n, variable in pairs]
        elif name == _CLOSURE:
            operations.append((_CLOSURE, None))
        elif name == "KW_NAMES":  # Python 3.11 does not say so
            operations.append((name, code.co_consts[found.arg or 0]))
        elif found.opcode in _NAMED:
            operations.append(("LOAD_ATTR" if name == "LOAD_METHOD" else name, value))
            if value == "__static_attributes__":  # written by Python 3.13 in an order of its own
                operations[-2] = operations[-1]
        else:
            operations.append((name, None if name in _JUMPS else found.arg))
    return operations


class _Comparison:
    def __init__(self) -> None:
        self.globals = _Renaming()
        self.stored: tuple[set[str], set[str]] = (set(), set())
        self.pairs: list[_Pair] = []
        self.has_star = False

    def compare_code(self, pair: _Pair) -> Iterator[str]:
        self.pairs.append(pair)
        if _shape(pair.before) != _shape(pair.after):
            yield f"expected the parameters and variables of {pair.before.co_name}, found others"
        for one, other in zip(pair.before.co_varnames, pair.after.co_varnames, strict=False):
            if not pair.admits(one, other):
                yield f"expected the variable that stands for {one}, found {other}"
        texts: set[Any] = {(pair.before.co_qualname, pair.after.co_qualname)} if pair.is_class else set()
        for left, right in zip_longest(*pair.operations, fillvalue=_NOTHING):
            (operation, one), (found, other) = left, right
            if operation != found:
                yield f"expected {operation} in {pair.before.co_name}, found {found}"
            elif isinstance(one, CodeType) and isinstance(other, CodeType):
                child = _Pair(one, other, pair)
                yield from self.compare_code(child)
                texts = {(one.co_name, other.co_name)} if child.is_class else set()
            elif operation == "LOAD_CONST" and (one, other) in texts:
                continue  # the name of a class
            elif not self.admits(pair, operation, one, other):
                yield f"expected {operation} of {one!r} or what stands for it in {pair.before.co_name}, found {other!r}"

    def admits(self, pair: _Pair, operation: str, one: Any, other: Any) -> bool:
        """Whether two operations of the same kind do the same, up to names."""
        if operation in _GLOBAL or (operation in _NAME and not pair.parent):
            if operation.startswith("STORE"):
                self.stored[0].add(one)
                self.stored[1].add(other)
            return self.globals.admits(one, other)
        if operation in _NAME or operation in _CLASS_CELL:
            is_own = one in pair.stored[0] or other in pair.stored[1]
            if (is_own or not operation.startswith("LOAD")) and one != other:
                return False
            if operation in _CLASS_CELL:
                return pair.admits(one, other)
            return not operation.startswith("LOAD") or self.globals.admits(one, other)
        if "_FAST" in operation or operation.endswith("_DEREF"):
            return pair.admits(one, other)
        self.has_star |= operation == "IMPORT_STAR" or (operation == "CALL_INTRINSIC_1" and one == _STAR)
        return bool(_key(one) == _key(other))

    def conclude(self) -> Iterator[str]:
        """What can be said in the end only."""
        for one, other in self.globals.items():
            is_stored = one in self.stored[0] and other in self.stored[1]
            is_known = {one, other} & BUILTINS or "__" in (one[:2], other[:2])
            if one != other and (self.has_star or is_known or not is_stored):
                yield f"expected the global name {one}, found {other}"
        for pair in self.pairs:
            cells = (set(pair.before.co_cellvars), set(pair.after.co_cellvars))
            known = {pair.variables[name] for name in cells[0] & pair.variables.keys()}  # the others run nowhere
            if len(cells[0]) != len(cells[1]) or not known <= cells[1]:
                yield f"expected the cells of {pair.before.co_name}, found others"
            if any(not pair.admits(*cells) for cells in self.implicit(pair)):
                yield f"expected the cells that {pair.before.co_name} finds around it, found others"

    def implicit(self, pair: _Pair) -> Iterator[tuple[str, str]]:
        """Cells that no operation needs to name, since the compiler or `super` knows them."""
        for name in ("__class__", "__classdict__"):
            if name in {*pair.before.co_freevars, *pair.after.co_freevars}:
                yield name, name


def _shape(code: CodeType) -> tuple[int, ...]:
    parameters = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (*parameters, code.co_nlocals, len(code.co_cellvars), len(code.co_freevars))


def _key(constant: Any) -> Any:
    """What tells constants apart: 1 from True, 0.0 from -0.0, and nan is like itself."""
    if isinstance(constant, tuple):
        return tuple(_key(item) for item in constant)
    if isinstance(constant, frozenset):
        return frozenset(_key(item) for item in constant)
    return type(constant), repr(constant) if isinstance(constant, (float, complex)) else constant
