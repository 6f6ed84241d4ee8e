"""Functions and classes that somebody may call, or look at, whose calls are not in the text of the program.

A function is safe as long as all mentions of it are direct calls. Its value is followed through names of the program:
assignments, and parameters of functions that are called by name. Where it goes to anybody else, it escapes, and may be
called by keyword from there on. So do methods that are read as attributes, or looked up by a text that is not known;
methods of classes whose bases from outside may call them; and constructors of classes that are handed on. Libraries
that are known to call by position only are listed in `callers.toml`.
"""

import ast
import builtins
import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.bundle.foreign.mappings import has_known_keys
from toolkit.bundle.foreign.program import Function, Program
from toolkit.bundle.foreign.readers import tables
from toolkit.bundle.rewrite.scopes import Binding

_LOOKS = {"isinstance", "issubclass", "super"}
_CLASS_METHODS = {"__new__", "__init_subclass__", "__class_getitem__"}
_ATTRIBUTE_CALLS = {"getattr", "hasattr", "setattr"}
_PROPERTIES = {"property", "functools.cached_property"}
_DESCRIBED = 40  # characters of a construct


@dataclass(frozen=True)
class Escape:
    """A function or class, and where it gets out of sight. A class stands for its constructor and all its methods."""

    node: Function | ast.ClassDef
    line: int
    construct: str


@functools.cache
def callers() -> dict[str, Any]:
    """`callers.toml`."""
    return tomllib.loads(Path(__file__).with_name("callers.toml").read_text("utf-8"))


def find_escapes(program: Program) -> list[Escape]:
    """Escapes of a program: the first of each function or class, in the order of the text."""
    search = _Search(program)
    first: dict[ast.AST, Escape] = {}
    for escape in sorted(search.escapes(), key=lambda escape: escape.line):
        first.setdefault(escape.node, escape)
    return list(first.values())


def find_protocols(program: Program) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Methods that others call on whatever they are handed; those under a base from outside are listed with it."""
    for name in callers()["protocols"]["methods"]:
        for method in program.methods.get(name, []):
            if all(program.origins(base) == {"object"} for base in program.foreign_bases(program.class_of[method])):
                yield method


class _Search:
    def __init__(self, program: Program) -> None:
        self.program = program

    def escapes(self) -> Iterator[Escape]:
        for function in self.program.functions:
            yield from self.of_function(function)
        for node in self.program.nodes:
            match node:
                case ast.Attribute(attr=name, ctx=ast.Load()) if name in self.program.methods:
                    if not self.program.is_foreign(node) and (leak := self.leak(node)):
                        yield from self.of_methods(name, leak)
                case ast.Call(func=ast.Name() as called, args=[base, named, *_]):
                    if self.program.origins(called) == {"getattr"} and not self.program.is_foreign(base):
                        yield from self.of_lookup(node, base, named)
                case ast.ClassDef():
                    yield from self.of_class(node)
        yield from self.of_unnamed_classes()

    def of_function(self, node: Function) -> Iterator[Escape]:
        if isinstance(node, ast.Lambda):
            if leak := self.leak(node):
                yield self.escape(node, leak)
            return
        for decorator in node.decorator_list:
            if not self.is_known_decorator(decorator):
                yield Escape(node, decorator.lineno, f"@{_short(decorator)}")
        binding = self.program.binding[node]
        if leak := self.leak_of(binding, frozenset()):
            yield self.escape(node, leak)

    def of_methods(self, name: str, leak: ast.AST, classes: set[ast.ClassDef] | None = None) -> Iterator[Escape]:
        for method in self.program.methods[name]:
            is_property = any(self.program.origins(d) & _PROPERTIES for d in method.decorator_list)
            if not is_property and (classes is None or self.program.class_of[method] in classes):
                yield self.escape(method, leak)

    def of_lookup(self, node: ast.Call, base: ast.expr, named: ast.expr) -> Iterator[Escape]:
        """`getattr`: methods of the objects that it may be asked of, and whose names the text may be."""
        if (leak := self.leak(node)) is None:
            return
        pattern = re.compile(_pattern(named), re.DOTALL)
        classes = self.program.classes_of(base)
        inherited = None if classes is None else {c for item in classes for c in self.program.own_bases(item)}
        for name in self.program.methods:
            if pattern.fullmatch(name):
                yield from self.of_methods(name, leak, inherited)

    def of_class(self, node: ast.ClassDef) -> Iterator[Escape]:
        for decorator in node.decorator_list:
            if not self.is_known_decorator(decorator):
                yield Escape(node, decorator.lineno, f"@{_short(decorator)}")
        for read in self.program.reads(self.program.binding[node]):
            if not self.is_harmless_class(read):
                for item in self.program.own_bases(node):
                    yield Escape(item, read.lineno, self.describe(read))
        bases = self.program.foreign_bases(node)
        named = {"__call__"}  # objects go where nobody sees
        unknown: list[ast.AST] = list(node.keywords)
        for base in bases:
            methods = self.named_methods(base)
            named |= methods or set()
            unknown += [] if methods is not None else [base]
        if unknown:
            yield Escape(node, node.lineno, f"class {node.name}({', '.join(map(_short, unknown))})")
        for method in self.program.methods_of(node):
            if method.name in named:
                yield Escape(method, method.lineno, f"{node.name}.{method.name}")

    def of_unnamed_classes(self) -> Iterator[Escape]:
        """Classes without their names, as `type(x)`, `x.__class__` or `cls`, where they are handed on."""
        for node in self.program.nodes:
            match node:
                case ast.Call(func=ast.Name(id="type"), args=[value]) | ast.Attribute(attr="__class__", value=value):
                    classes = self.program.classes_of(value)
                case ast.Name(ctx=ast.Load()) if node in self.program.binding and self.is_class_argument(node):
                    classes = None
                case _:
                    continue
            if not self.is_harmless_class(node):
                for item in self.program.classes if classes is None else classes:
                    yield Escape(item, node.lineno, self.describe(node))

    def is_class_argument(self, node: ast.Name) -> bool:
        """Whether a name is the class that a class method is called with."""
        scope = self.program.binding[node].scope
        function = scope.node if scope else None
        if function not in self.program.class_of or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        takes_class = function.name in _CLASS_METHODS or any(
            self.program.origins(decorator) == {"classmethod"} for decorator in function.decorator_list
        )
        first = [*function.args.posonlyargs, *function.args.args][:1]
        return takes_class and [arg.arg for arg in first] == [node.id]

    def named_methods(self, base: ast.expr) -> set[str] | None:
        """Methods of a base from outside that may be called by keyword; None for one that may call anything so."""
        while isinstance(base, ast.Subscript):  # `Generic[T]`
            base = base.value
        for name in self.program.origins(base):
            if isinstance(builtin := getattr(builtins, name, None), type) and builtin is not type:
                return {n for n in dir(builtin) if not n.startswith("__")}
            named = callers()["bases"].get(name)
            if named is not None:
                return set(callers()["bases"][named] if isinstance(named, str) else named)
        return None

    def is_known_decorator(self, node: ast.expr) -> bool:
        function = node.func if isinstance(node, ast.Call) else node
        known = callers()["decorators"]
        if isinstance(function, ast.Attribute) and function.attr in known["properties"]:
            binding = self.program.binding.get(function.value)
            return binding is not None and binding.scope is not None and isinstance(binding.scope.node, ast.ClassDef)
        return bool(self.program.origins(function) & set(known["names"]))

    def is_harmless_class(self, node: ast.AST) -> bool:
        """Whether a mention of a class only makes objects, asks for its kind, or reads an attribute of it."""
        parent = self.program.parents.get(node)
        while isinstance(parent, (ast.Tuple, ast.BinOp, ast.Subscript)):
            node, parent = parent, self.program.parents.get(parent)
        match parent:
            case ast.Call(func=func, args=args):
                is_looked_at = bool(self.program.origins(func) & _LOOKS) or (node in args[:1] and 0 in self.slots(func))
                return func is node or is_looked_at
            case ast.Attribute(attr=name):
                is_own = name in ("__name__", "__qualname__", "__module__", "__init__", "__new__", "__class__")
                return is_own or not name.startswith("__")
            case ast.arg() | ast.AnnAssign():
                return parent.annotation is node
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return parent.returns is node
        known = (ast.ClassDef, ast.ExceptHandler, ast.Raise, ast.Compare, ast.MatchClass, ast.Expr)
        return isinstance(parent, known)

    def leak(self, node: ast.AST, seen: frozenset[Binding] = frozenset()) -> ast.AST | None:
        """Where the value of an expression gets out of sight; None if it is only called, or compared."""
        parent = self.program.parents.get(node)
        match parent:
            case ast.Call(func=func) if func is node:
                return None
            case ast.Call():
                return self.leak_through_call(parent, node, node, seen)
            case ast.keyword():
                call = self.program.parents[parent]
                return self.leak_through_call(call, parent, node, seen) if isinstance(call, ast.Call) else node
            case ast.IfExp() | ast.NamedExpr() | ast.BoolOp():
                if isinstance(parent, ast.IfExp) and parent.test is node:
                    return None
                found = self.leak(parent, seen)
                if isinstance(parent, ast.NamedExpr) and not found:
                    found = self.leak_of(self.program.binding[parent.target], seen)
                return found
            case ast.Assign(targets=targets) if all(isinstance(target, ast.Name) for target in targets):
                leaks = (self.leak_of(self.program.binding[target], seen) for target in targets)
                return next((found for found in leaks if found), None)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node in parent.decorator_list:
                return None  # is called with what it decorates
            case ast.Expr() | ast.If() | ast.While() | ast.Assert() | ast.UnaryOp(op=ast.Not()):
                return None
            case ast.Compare(ops=ops) if all(isinstance(op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)) for op in ops):
                return None
            case ast.Attribute(attr=name) if isinstance(node, ast.Name):
                return None if _is_harmless_attribute(name) else node
        return node

    def leak_through_call(
        self, call: ast.Call, place: ast.AST, value: ast.AST, seen: frozenset[Binding]
    ) -> ast.AST | None:
        match call.args:
            case [ast.Name() as base, ast.Constant(value=str(name)), *_] if base is value:
                if self.program.origins(call.func) & _ATTRIBUTE_CALLS and _is_harmless_attribute(name):
                    return None
        if parameter := self.program.parameter(call, value):
            return self.leak_of(self.program.binding[parameter], seen)
        slots = self.slots(call.func)
        slot = place.arg if isinstance(place, ast.keyword) else call.args.index(value) if value in call.args else None
        passed = [item.value for item in call.keywords if item.arg in (None, "kwargs")]
        if slot in slots and all(has_known_keys(self.program, mapping) for mapping in passed):
            return None
        return value

    def slots(self, function: ast.expr) -> list[int | str]:
        """Where a call takes a function that it only calls by position."""
        for name in self.program.origins(function):
            if name in callers()["calls"]:
                return list(callers()["calls"][name])
        if isinstance(function, ast.Attribute) and function.attr not in self.program.methods:
            return list(callers()["methods"].get(function.attr, []))
        return []

    def leak_of(self, binding: Binding, seen: frozenset[Binding]) -> ast.AST | None:
        """Where the value of a name gets out of sight."""
        if binding in seen:
            return None
        if binding.scope and isinstance(binding.scope.node, ast.ClassDef):  # an attribute of the class
            stores = (m.node for m in binding.mentions if isinstance(m.node, ast.Name))
            if stored := next((node for node in stores if isinstance(node.ctx, ast.Store)), None):
                return stored
        found = (self.leak(read, seen | {binding}) for read in self.program.reads(binding))
        return next((node for node in found if node), None)

    def escape(self, node: Function | ast.ClassDef, leak: ast.AST) -> Escape:
        return Escape(node, getattr(leak, "lineno", 1), self.describe(leak))

    def describe(self, node: ast.AST) -> str:
        """The construct that a value goes into, in a few words."""
        parent = self.program.parents.get(node)
        if isinstance(parent, ast.keyword):
            call = self.program.parents[parent]
            return f"{_short(call.func)}({parent.arg}={_short(node)})" if isinstance(call, ast.Call) else _short(node)
        if isinstance(parent, ast.Call):
            return f"{_short(parent.func)}({_short(node)})"
        if isinstance(parent, ast.Return):
            return f"return {_short(node)}"
        return _short(node)


def _is_harmless_attribute(name: str) -> bool:
    """Whether an attribute of a function is one that was put there, or one whose reading keeps what it shows."""
    return not name.startswith("__") or name in tables()["attributes"]


def _pattern(node: ast.expr) -> str:
    """A regular expression of the texts that an expression may give."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=values):
            return "".join(map(_pattern, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _pattern(left) + _pattern(right)
    return ".*"


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= _DESCRIBED else text[: _DESCRIBED - 3] + "..."
