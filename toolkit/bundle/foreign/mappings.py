"""Calls with `**mapping`: which keys they pass, and whose parameters those may name.

The keys of a mapping are known if they are literals of the program: a dictionary written down, a name that only ever
holds one and is only read, or the `**` parameter of a function all of whose calls are seen. Any other mapping may hold
every name, and pins the parameters of all that its call may reach.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from toolkit.bundle.foreign.program import FUNCTIONS, Function, Program, without_first
from toolkit.bundle.rewrite.scopes import Binding

_CONSTRUCTORS = {"__init__", "__new__", "__init_subclass__"}
_READING_METHODS = {"copy", "get", "items", "keys", "pop", "values"}


@dataclass(frozen=True)
class Pin:
    """A call with a mapping of unknown keys, and the functions that it may reach."""

    line: int
    construct: str
    functions: tuple[Function, ...]
    whose: str  # in words


def find_pins(program: Program) -> list[Pin]:
    """Every call that may pass any name, with what it pins; calls that only reach foreign functions are left out."""
    pins = []
    for call in program.calls:
        for mapping in [item.value for item in call.keywords if item.arg is None]:
            if not has_known_keys(program, mapping):
                functions, whose = _reached(program, call.func)
                if functions:
                    construct = f"{ast.unparse(call.func)}(**{ast.unparse(mapping)})"
                    pins.append(Pin(call.lineno, construct, tuple(functions), whose))
    return pins


def beside_collected(program: Program) -> list[ast.arg]:
    """Parameters of functions that collect other keywords in `**`: under another name they could catch one of these."""
    collecting = [node.args for node in program.functions if node.args.kwarg]
    return [arg for args in collecting for arg in (*args.args, *args.kwonlyargs)]


def named_in_constructors(program: Program) -> list[ast.arg]:
    """Parameters of constructors that some call passes by keyword which does not name the class, such as `cls(x=1)`."""
    keywords = {item.arg for call in program.calls for item in call.keywords if _may_make_any_class(program, call.func)}
    constructors = [method for name in _CONSTRUCTORS for method in program.methods.get(name, [])]
    return [arg for method in constructors for arg in without_first(method) if arg.arg in keywords]


def _may_make_any_class(program: Program, function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in {"__class__", *_CONSTRUCTORS}
    return not program.targets(function) and not program.origins(function)


def has_known_keys(program: Program, mapping: ast.AST, seen: frozenset[Binding] = frozenset()) -> bool:
    """Whether all keys of a mapping are literals or keywords of the program."""
    match mapping:
        case ast.Dict(keys=keys, values=values):
            return all(
                has_known_keys(program, value, seen) if key is None else isinstance(key, ast.Constant)
                for key, value in zip(keys, values, strict=True)
            )
        case ast.Call(func=ast.Name(id="dict") as function, args=args, keywords=keywords):
            inner = [*args, *(item.value for item in keywords if item.arg is None)]
            return program.origins(function) == {"dict"} and all(has_known_keys(program, i, seen) for i in inner)
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, op=ast.BitOr(), right=other):
            return has_known_keys(program, one, seen) and has_known_keys(program, other, seen)
        case ast.Name() if mapping in program.binding:
            binding = program.binding[mapping]
            return binding in seen or _holds_known_keys(program, binding, seen | {binding})
    return False


def _holds_known_keys(program: Program, binding: Binding, seen: frozenset[Binding]) -> bool:
    if binding.scope is None or isinstance(binding.scope.node, ast.ClassDef):
        return False
    for mention in binding.mentions:
        node = mention.node
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if not _only_reads(program, node):
                return False
            continue
        match program.parents.get(node):
            case ast.Assign(targets=[ast.Name()], value=value) if has_known_keys(program, value, seen):
                pass
            case ast.arguments(kwarg=ast.arg() as kwarg) if kwarg is node:
                if not _is_called_with_known_keys(program, kwarg, seen):
                    return False
            case _:
                return False
    return True


def _only_reads(program: Program, node: ast.Name) -> bool:
    """Whether a mention of a mapping hands it to nobody who may add keys that are no literals."""
    parent = program.parents[node]
    match parent:
        case ast.keyword(arg=None) | ast.Compare() | ast.Dict():
            return True
        case ast.Subscript(value=value, slice=key):
            return value is node and (isinstance(parent.ctx, ast.Load) or isinstance(key, ast.Constant))
        case ast.Attribute(attr=name):
            return name in _READING_METHODS
        case ast.Call(func=ast.Name(id="len" | "bool")) | ast.For():
            return True
    return False


def _is_called_with_known_keys(program: Program, kwarg: ast.arg, seen: frozenset[Binding]) -> bool:
    """Whether all calls of the function with this `**` parameter are seen, and pass keys that are known."""
    function = program.scope[kwarg].node
    binding = program.binding.get(function)
    if binding is None or function in program.class_of or function.decorator_list:  # type: ignore[attr-defined]
        return False
    reads = list(program.reads(binding))
    if not program.is_constant(binding) or not all(program.is_called(read) for read in reads):
        return False
    calls = [program.parents[read] for read in reads]
    passed = [item.value for call in calls for item in call.keywords if item.arg is None]  # type: ignore[attr-defined]
    return all(has_known_keys(program, mapping, seen) for mapping in passed)


def _reached(program: Program, function: ast.expr) -> tuple[list[Function], str]:
    """Functions that a call may reach, and whose parameters those are in words."""
    targets = program.targets(function)
    if isinstance(function, ast.Name) and targets and program.is_constant(program.binding[function]):
        return _of_targets(program, targets), f"the parameters of {function.id}"
    if program.is_foreign(function):
        return [], ""
    if isinstance(function, ast.Attribute):
        classes = [node for node in program.classes if node.name == function.attr]
        methods = program.methods.get(function.attr, [])
        if function.attr not in program.stored_attributes and (methods or classes):
            return [*methods, *_of_targets(program, classes)], f"the parameters of all {function.attr}"
    values = [node for node in program.functions if _may_be_a_value(program, node)]
    return [*_of_targets(program, targets), *values], "the parameters of all that may be stored"


def _of_targets(program: Program, targets: Iterable[ast.AST]) -> list[Function]:
    found: list[Function] = []
    for node in targets:
        if isinstance(node, ast.ClassDef):
            methods = [method for owner in program.own_bases(node) for method in program.methods_of(owner)]
            found += [method for method in methods if method.name in _CONSTRUCTORS]
        elif isinstance(node, FUNCTIONS):
            found.append(node)
    return found


def _may_be_a_value(program: Program, node: Function) -> bool:
    """Whether a function may be what an expression gives: one that is only called by its name never is."""
    if isinstance(node, ast.Lambda) or node in program.class_of:
        return not program.is_called(node)
    binding = program.binding[node]
    return bool(node.decorator_list) or not all(program.is_called(read) for read in program.reads(binding))
