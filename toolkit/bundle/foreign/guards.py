"""What keeps its name in a script that we did not write: every construct that reads names while the program runs.

Our own components are linted to have none of these; a stranger's script may have any. Each guard keeps as little as it
can: `locals()` in one function keeps the names of that function, not all names of the program. What reaches further
than one definition is reported with its line, so that its author knows what it costs.

Covers `exec`, `eval`, `globals`, `locals`, `vars`, `dir`, `sys.modules`, frames, `inspect`, `__name__` of functions,
annotations and parameter names that a decorator or a base class from outside may read, and strings that name a
parameter. Not covered: names in tracebacks, which are those of the packed program.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from toolkit.bundle.rewrite.scopes import Binding, Scope, parameters
from toolkit.bundle.rewrite.signatures import Definition, has_known_decorators

# Bases from outside that call what a subclass defines by position only, apart from `_NAMED_BY_TORCH`.
_KNOWN_BASES = re.compile(
    r"object|Exception|RuntimeError|ValueError|((torch\.)?nn\.)?(Module|Linear|Embedding|Parameter|RMSNorm|LayerNorm)"
    r"|(torch\.optim\.|optim\.)?(Optimizer|AdamW?|SGD)|(torch\.)?autograd\.Function|(torch\.utils\.data\.)?\w*Dataset"
)
_NAMED_BY_TORCH = {"state_dict", "load_state_dict", "named_parameters", "named_modules", "named_buffers"}
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
# Attributes that show names or annotations of functions and classes to the program.
_NAME_READERS = {"__name__", "__qualname__", "__code__", "co_name", "co_varnames"}
_SIGNATURE_READERS = {"__annotations__", "__signature__", "getfullargspec", "get_type_hints", "signature"}
_PARAMETER_READERS = {"__signature__", "co_varnames", "getfullargspec", "signature"}
_NAMESPACE_READERS = {"_getframe", "currentframe", "f_globals", "f_locals", "__globals__", "modules", "reload"}
_NAMESPACE_CALLS = {"exec", "eval", "globals", "locals", "vars", "dir"}
# Whatever turns a function it is handed into an operator or a kernel reads its annotations.
_ANNOTATION_READERS = {"custom_op", "infer_schema", "jit", "library", "script", "register_fake", "triton_op"}


class Caution(StrEnum):
    """Kinds of caution. A user who knows better may assume one away: the value is the word after `--assume-`."""

    POSITIONAL = "positional"  # calls that the program does not show pass parameters by position and read no names
    KEYS = "literal-keys"  # a call with `**mapping` passes no name of a parameter that the program does not spell out
    UNREAD = "unread"  # nobody reads the names, notes, lines, frames or namespace of the program


@dataclass(frozen=True, order=True)
class Blocker:
    """A construct that keeps something of a program as it is, and what."""

    line: int
    construct: str
    keeps: str
    caution: Caution = Caution.UNREAD

    def __str__(self) -> str:
        return f"line {self.line}: {self.construct} keeps {self.keeps}"


@dataclass(frozen=True)
class Reading:
    """What a program reads of itself, beyond single names and notes."""

    lines: bool = False  # its source or line numbers: the text must stay as it is
    frames: bool = False  # the stack, or the hook for exceptions: a stub would show
    namespace: bool = False  # what its module holds: a stub must leave no name behind
    own_file: bool = False  # its file: this must be UTF-8


@dataclass
class Guards:
    """What of a program must stay. `blockers` are sorted by line."""

    namespace: set[Binding] = field(default_factory=set)  # may be looked up by name while the program runs
    kept: set[Binding] = field(default_factory=set)  # those, and all others whose name somebody may see
    blockers: list[Blocker] = field(default_factory=list)
    reading: Reading = Reading()


def find_guards(tree: ast.Module, bindings: list[Binding], assumed: frozenset[Caution] = frozenset()) -> Guards:
    """Guards of a program, without the kinds of caution that its author assumes away.

    `bindings` are those of `find_bindings(tree)`.
    """
    guards = Guards()
    _guard_namespaces(tree, bindings, guards)
    guards.kept |= guards.namespace
    _guard_definitions(tree, bindings, guards)
    _guard_annotations(tree, bindings, guards)
    _guard_parameters(tree, bindings, guards)
    guards.blockers = sorted(set(guards.blockers))
    return guards


def reads_annotations(tree: ast.Module) -> bool:
    """Whether the program itself looks at annotations, so that all of them must stay."""
    return any(True for _ in _attributes(tree, _SIGNATURE_READERS))


def passes_to_annotation_readers(tree: ast.Module) -> bool:
    """Whether something is at hand that reads the annotations of a function it is handed."""
    return any(True for _ in _attributes(tree, _ANNOTATION_READERS))


def _attributes(tree: ast.AST, names: set[str]) -> Iterator[Any]:
    """Attributes and imported names among `names`; those with double underscores as bare names and strings as well."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.alias(name=name) if name in names:
                yield node
            case ast.Name(id=name) | ast.Constant(value=str(name)) if name in names and name.startswith("__"):
                yield node


def _root(node: ast.expr) -> str:
    """The name that an expression such as `a.b.c` begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _guard_namespaces(tree: ast.Module, bindings: list[Binding], guards: Guards) -> None:
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for binding in bindings:
        if binding.scope is not None or binding.name not in _NAMESPACE_CALLS:
            continue
        for mention in binding.mentions:
            _guard_namespace(binding.name, mention.node, calls.get(mention.node), mention.scope, bindings, guards)
    for node in _attributes(tree, _NAMESPACE_READERS):
        if getattr(node, "attr", "") != "modules" or ast.unparse(node) == "sys.modules":
            _keep_scope(None, bindings, guards)
            guards.blockers.append(Blocker(node.lineno, ast.unparse(node), "all global names"))


def _guard_namespace(
    name: str, node: Any, call: ast.Call | None, scope: Scope, bindings: list[Binding], guards: Guards
) -> None:
    """One mention of a builtin that sees a namespace."""
    if call and name in ("vars", "dir") and call.args:
        return  # attributes of an object, and no attribute is ever renamed
    if call and name in ("exec", "eval") and len(call.args) > 1:
        return  # in a namespace that is given; where that is `globals()`, its own guard holds
    match call:
        case ast.Call(args=[ast.Constant(value=str(code))]) if name in ("exec", "eval"):
            named = set(_IDENTIFIER.findall(code))
            guards.namespace |= {binding for binding in bindings if binding.name in named}
            while scope.parent:  # a local must not take a name that the code looks up further out
                _keep_scope(scope, bindings, guards)
                scope = scope.parent
            return
    reached: Scope | None = scope
    while reached is not None:  # what the code sees: this function, those around it, and the module
        if reached.parent is None and name in ("locals", "vars", "dir") and reached is not scope:
            break
        _keep_scope(reached if reached.parent and name != "globals" else None, bindings, guards)
        reached = reached.parent
    which = "all global names" if name == "globals" or scope.parent is None else "the names of its function"
    which += " and all global names" if name in ("exec", "eval") and scope.parent else ""
    guards.blockers.append(Blocker(node.lineno, f"{name}()", which))


def _keep_scope(scope: Scope | None, bindings: list[Binding], guards: Guards) -> None:
    """Keep the names of a scope; None for those of the module."""
    for binding in bindings:
        if binding.scope and (binding.scope is scope or (scope is None and binding.scope.parent is None)):
            guards.namespace.add(binding)


def _guard_definitions(tree: ast.Module, bindings: list[Binding], guards: Guards) -> None:
    """Names that objects carry: those of classes always, of functions where somebody may look."""
    readers = [node for node in _attributes(tree, _NAME_READERS) if isinstance(node, (ast.Attribute, ast.Constant))]
    for node in readers:
        construct = node.attr if isinstance(node, ast.Attribute) else node.value
        guards.blockers.append(Blocker(node.lineno, str(construct), "the names of all functions"))
    for binding in bindings:
        for mention in binding.mentions:
            is_definition = isinstance(mention.node, Definition) and mention.field == "name"
            if is_definition and (
                readers or isinstance(mention.node, ast.ClassDef) or not has_known_decorators(mention.node)
            ):
                guards.kept.add(binding)


def _guard_annotations(tree: ast.Module, bindings: list[Binding], guards: Guards) -> None:
    """Globals that an annotation mentions: under `from __future__ import annotations` they are read as text."""
    inside: set[ast.AST] = set()
    words: set[str] = set()
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.AST):
                inside.update(ast.walk(annotation))
    for item in inside:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            words.update(_IDENTIFIER.findall(item.value))
    for binding in bindings:
        if binding.name in words or any(mention.node in inside for mention in binding.mentions):
            guards.kept.add(binding)


def _guard_parameters(tree: ast.Module, bindings: list[Binding], guards: Guards) -> None:
    """Parameters that are passed by a name which no call shows."""
    strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    imported = {b.name for b in bindings if any(isinstance(m.node, ast.alias) for m in b.mentions)}
    harmless = {
        call.func
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args and _root(call.args[0]) in imported
    }
    all_named = [node for node in _attributes(tree, _PARAMETER_READERS) if node not in harmless]
    for node in all_named:
        guards.blockers.append(Blocker(node.lineno, ast.unparse(node), "the names of all parameters"))
    foreign = set(_parameters_of_overrides(tree))
    for binding in bindings:
        for mention in binding.mentions:
            if isinstance(mention.node, ast.arg) and (
                all_named or mention.node in foreign or mention.node.arg in strings
            ):
                guards.kept.add(binding)


def _parameters_of_overrides(tree: ast.Module) -> Iterable[ast.arg]:
    """Parameters of methods that a base class from outside may call by keyword."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {node.name: node for node in classes}

    def is_known(node: ast.ClassDef, depth: int = 0) -> bool:
        names = [ast.unparse(base) for base in node.bases]
        known = all(
            (name in own and own[name] is not node and depth < len(classes) and is_known(own[name], depth + 1))
            or (name not in own and _KNOWN_BASES.fullmatch(name))
            for name in names
        )
        return known and not node.keywords

    for node in classes:
        known = is_known(node)
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                is_dunder = item.name.startswith("__") and item.name.endswith("__")
                if item.name in _NAMED_BY_TORCH or not (known or is_dunder):
                    yield from parameters(item.args)[not item.decorator_list :]  # `self` is always passed by position
