"""Methods whose calls are all known, because all instances of their class are.

A class is judged if each of its instances can be followed wherever it goes (`instances.py`), nothing inherits from it,
and it inherits from nothing, or from `nn.Module` itself. Then

- a call of an instance reaches `forward`, or `__call__` where there is no base;
- any other method goes by its name: every access to that, on whatever object, must be a call on such an instance. So a
  method that is handed on as a value, is named by a string or belongs to two classes is left out;
- what `nn.Module` defines may be called from there, and is left out as well.

Modules that `named_modules` and the like find must not be called. Not covered: functions of ours to which foreign code
hands a module that it has found inside of another, such as hooks. They must not call it, and a hook on a module of ours
sees only those inputs that are still passed.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from toolkit.bundle.calls.instances import Kind, Trail, Unfollowed
from toolkit.bundle.calls.uses import Callee, Uses
from toolkit.bundle.rewrite.signatures import all_read, has_known_decorators, sole_definition
from toolkit.syntax.constants import is_literal

# Public names of `nn.Module`, and more: methods that return the module itself, those that find modules inside, all.
RETURNS_SELF = re.compile(
    "apply|bfloat16|cpu|cuda|double|eval|float|half|ipu|mtia|requires_grad_|share_memory|to|to_empty|train|type|xpu"
)
FINDS_MODULES: dict[str, Kind] = {
    "children": "many",
    "modules": "many",
    "named_children": "pairs",
    "named_modules": "pairs",
}
OF_MODULE = re.compile(
    f"{RETURNS_SELF.pattern}|{'|'.join(FINDS_MODULES)}|(_|call_|dump_|get_|load_|named_|register_|set_).*"
    "|T_destination|add_module|buffers|compile|extra_repr|forward|parameters|state_dict|training|zero_grad"
)
_RELIED_UPON = re.compile(f"{RETURNS_SELF.pattern}|__call__|_call_impl")
_NOTHING = re.compile("(?!)")
# By these an instance may be made, fetched, exchanged or called without a trace in the text.
_BACK_DOORS = re.compile(
    "__(call|class|dict|self)__|_modules|_(wrapped_)?call_impl|(get|set)_submodule|(add|register)_module"
    "|attrgetter|methodcaller"
)
_CHANGERS = re.compile("__(class_getitem|getattr|getattribute|init_subclass|new|setattr)__")  # of what a class means
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def followed_classes(uses: Uses) -> dict[ast.ClassDef, Trail]:
    """Classes whose instances have been followed, and where they go.

    What is known of one class helps with others: which attribute a name means, and that nobody else has set it.
    """
    names = uses.attributes.keys() | {binding.name for binding in uses.bindings if binding.scope is None}
    if any(_BACK_DOORS.fullmatch(name) for name in names):
        return {}
    judged = list(_judged_classes(uses))
    classes = {node: definition for definition, _, own in judged for node in own}
    stores = {definition: _stored_attributes(uses, definition, own) for definition, _, own in judged}
    followed: dict[ast.ClassDef, Trail] = {}
    while True:
        new: dict[ast.ClassDef, Trail] = {}
        for definition, made, own in judged:
            if definition not in followed:
                with suppress(Unfollowed):
                    chained = RETURNS_SELF if definition.bases else _NOTHING
                    trail = Trail(uses, [*made, *own], classes, chained)
                    if trail.is_exclusive(stores):
                        new[definition] = trail
        if not new:
            return followed
        followed |= new
        for definition, trail in new.items():
            classes |= {node: definition for node, kind in trail.reached.items() if kind == "one"}


def _stored_attributes(uses: Uses, definition: ast.ClassDef, own: list[ast.expr]) -> set[str]:
    """Attributes that instances have from us, and from nobody else."""
    return {
        name
        for name, accesses in uses.attributes.items()
        if any(isinstance(access.ctx, ast.Store) and access.value in own for access in accesses)
        and not (definition.bases and OF_MODULE.fullmatch(name))
    }


def _judged_classes(uses: Uses) -> Iterator[tuple[ast.ClassDef, list[ast.Call], list[ast.expr]]]:
    """Classes that may be judged, where their instances are made, and what reads `self` in them."""
    for binding in uses.bindings:
        definition, mentions = sole_definition(binding)
        made = uses.direct_calls(mentions)
        if isinstance(definition, ast.ClassDef) and made is not None and _is_judged(uses, definition):
            functions = [
                stmt
                for stmt in definition.body
                if isinstance(stmt, _FUNCTIONS) and "staticmethod" not in _decorators(stmt)
            ]
            firsts = [[*function.args.posonlyargs, *function.args.args][:1] for function in functions]
            nodes = [mention.node for first in firsts for arg in first for mention in uses.meaning[arg].mentions[1:]]
            if all(firsts) and all_read(nodes):
                yield definition, made, nodes


def _is_judged(uses: Uses, definition: ast.ClassDef) -> bool:
    """Whether a class means what its text shows."""
    functions = [stmt for stmt in definition.body if isinstance(stmt, _FUNCTIONS)]
    names = {function.name for function in functions}
    bases = [uses.outside_name(base) for base in definition.bases]
    is_module = bases == ["nn.Module"] and not any(_RELIED_UPON.fullmatch(name) for name in names)
    return (
        (is_module or not bases)
        and not any(_CHANGERS.fullmatch(name) for name in names)
        and not definition.keywords
        and has_known_decorators(definition)
        and not any("classmethod" in _decorators(function) for function in functions)
        and all(len(uses.meaning[function].mentions) == 1 for function in functions)
        and all(isinstance(stmt, _FUNCTIONS) or _is_inert(stmt) for stmt in definition.body)
    )


def _decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {ast.unparse(decorator) for decorator in function.decorator_list}


def _is_inert(stmt: ast.stmt) -> bool:
    """Whether a statement in a class body makes no method."""
    match stmt:
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is None or is_literal(value)
    return isinstance(stmt, ast.Pass) or (isinstance(stmt, ast.Expr) and is_literal(stmt.value))


def method_callees(uses: Uses, followed: Mapping[ast.ClassDef, Trail]) -> Iterator[Callee]:
    """Methods of `followed_classes` with their calls, where all of these are known."""
    plain = {node for definition, trail in followed.items() if not definition.bases for node in trail.reached}
    may_call_any_module = _calls_found_modules(uses, plain)
    for definition, trail in followed.items():
        for method in definition.body:
            if not isinstance(method, ast.FunctionDef) or not _takes_self(method):
                continue
            calls = trail.method_calls(method.name)
            if calls is not None and method.name == ("forward" if definition.bases else "__call__"):
                calls = [] if definition.bases and may_call_any_module else [*calls, *trail.calls()]
            elif _is_called_from_outside(method, definition):
                continue
            if calls and (callee := uses.callee(method, calls, skipped=1)):
                yield callee


def _takes_self(method: ast.FunctionDef) -> bool:
    """Whether a call `x.m(...)` runs the function, with `x` before all else."""
    return has_known_decorators(method) and not _decorators(method) & {"property", "staticmethod"}


def _is_called_from_outside(method: ast.FunctionDef, definition: ast.ClassDef) -> bool:
    """Whether the language or the base class may call a method."""
    return bool((OF_MODULE if definition.bases else re.compile("__.*")).fullmatch(method.name))


def _calls_found_modules(uses: Uses, plain: set[ast.expr]) -> bool:
    """Whether the program may call a module that it, or torch for it, has found inside of another.

    `plain` are instances that are no modules.
    """
    applied = [access for access in uses.attributes.get("apply", []) if access.value not in plain]
    if any(access not in uses.calls or uses.calls[access].args for access in applied):
        return True
    for name, kind in FINDS_MODULES.items():
        for access in uses.attributes.get(name, []):
            try:
                if access not in uses.calls or Trail(uses, [uses.calls[access]], {}, RETURNS_SELF, kind).calls():
                    return True
            except Unfollowed:
                return True
    return False
