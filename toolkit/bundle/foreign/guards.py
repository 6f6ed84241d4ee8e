"""What stays as it is in a script that we did not write: names, notes and text that somebody may read while it runs.

Our own components are linted to have no such readers; a stranger's script may have any. Each guard keeps as little as
it can: `locals()` in one function keeps the names of that function, not all names of the program. What is kept is
reported with its line and the kind of caution, so that the author knows what it costs and can assume it away.

- POSITIONAL: what escapes (see the module of that name) keeps its name, parameters, annotations and docstring.
- KEYS: calls with `**mapping` pin parameters (see `mappings`).
- UNREAD: what the program reads of itself (see `readers`), and the builtins `exec`, `eval`, `globals`, `locals`, `vars`
  and `dir`.

Not covered: names and lines in tracebacks that nobody catches, and other files that import the script by its name.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from toolkit.bundle.foreign.escapes import Escape, find_escapes, find_protocols
from toolkit.bundle.foreign.mappings import beside_collected, find_pins, named_in_constructors
from toolkit.bundle.foreign.prepared import names_in_prepared
from toolkit.bundle.foreign.program import Program, without_first
from toolkit.bundle.foreign.readers import Effect, find_reads
from toolkit.bundle.minify.rename import Kept
from toolkit.bundle.rewrite.scopes import Binding, Scope, parameters
from toolkit.bundle.rewrite.signatures import Definition, has_known_decorators
from toolkit.bundle.rewrite.simplify import own_yields

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_NAMESPACE_CALLS = {"exec", "eval", "globals", "locals", "vars", "dir"}
_KEPT_BY = {  # apart from what costs next to nothing
    Effect.NAMES: "the names of all functions",
    Effect.PARAMETERS: "the names of all parameters",
    Effect.ANNOTATIONS: "all annotations",
    Effect.DOCS: "all docstrings",
    Effect.MODULE_DOCS: "the docstring of the module",
    Effect.GLOBALS: "all global names",
    Effect.LOCALS: "the names of all locals",
    Effect.LINES: "the text as it is",
    Effect.FRAMES: "the stack as it is",
}


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
    unnamed: set[Binding] = field(default_factory=set)  # in use without a mention, by somebody who knows their names
    asked: set[str] = field(default_factory=set)  # names that are looked up in a namespace, which may lack them
    documented: set[ast.AST] = field(default_factory=set)  # what keeps its docstring
    annotated: set[ast.AST] = field(default_factory=set)  # what keeps its annotations
    blockers: list[Blocker] = field(default_factory=list)
    reading: Reading = Reading()

    def for_renaming(self) -> Kept:
        return Kept(self.kept, self.asked)


def find_guards(tree: ast.Module, bindings: list[Binding], assumed: frozenset[Caution] = frozenset()) -> Guards:
    """Guards of a program, without the kinds of caution that its author assumes away.

    `bindings` are those of `find_bindings(tree)`.
    """
    search = _Search(Program(tree, bindings), assumed)
    search.guard_reads()
    search.guard_escapes()
    search.guard_protocols()
    search.guard_mappings()
    search.guard_definitions()
    search.guard_annotations()
    search.guards.kept |= search.guards.namespace
    search.guards.blockers = sorted(set(search.guards.blockers))
    return search.guards


class _Search:
    """Collects guards; the steps are independent of each other."""

    def __init__(self, program: Program, assumed: frozenset[Caution]) -> None:
        self.program = program
        self.assumed = assumed
        self.guards = Guards()
        self.sees_globals = False  # by a builtin

    def guard_reads(self) -> None:
        """What the program reads of itself by readers and by builtins."""
        reads = find_reads(self.program)
        effects = {effect for read in reads for effect in read.effects}
        if Caution.UNREAD in self.assumed:
            self.guards.reading = Reading(own_file=Effect.FILE in effects)
            return
        for node in self.program.nodes:
            if isinstance(node, (ast.Name, ast.Attribute)):
                for name in sorted(self.program.origins(node) & _NAMESPACE_CALLS):
                    self.guard_namespace(name, node)
        for read in reads:
            shown = read.effects & {Effect.LINES, Effect.FRAMES} if Effect.LINES in read.effects else read.effects
            if kept := [words for effect, words in _KEPT_BY.items() if effect in shown]:
                self.block(read.line, read.construct, " and ".join(kept), Caution.UNREAD)
        for effect in effects:
            self.keep_all(effect)
        self.guards.reading = Reading(
            lines=Effect.LINES in effects,
            frames=Effect.FRAMES in effects,
            namespace=Effect.GLOBALS in effects or self.sees_globals,
            own_file=Effect.FILE in effects,
        )
        for node in self.program.functions:  # whoever looks a function up by its name may call it
            if self.program.binding.get(node) in self.guards.namespace:
                self.keep_parameters(parameters(node.args))
        for node in self.program.classes:
            if self.program.binding[node] in self.guards.namespace:
                for method in self.program.methods_of(node):
                    self.keep_parameters(without_first(method))

    def keep_all(self, effect: Effect) -> None:
        """Keep everything of a program that an effect may read."""
        match effect:
            case Effect.NAMES:
                self.guards.kept |= {
                    self.program.binding[f] for f in self.program.functions if f in self.program.binding
                }
            case Effect.PARAMETERS:
                self.keep_parameters(arg for node in self.program.functions for arg in parameters(node.args))
            case Effect.ANNOTATIONS:
                self.guards.annotated |= {self.program.tree, *self.program.functions, *self.program.classes}
            case Effect.DOCS:
                self.guards.documented |= {self.program.tree, *self.program.functions, *self.program.classes}
            case Effect.MODULE_DOCS:
                self.guards.documented |= {self.program.tree, *self.program.classes}
            case Effect.GLOBALS:
                self.keep_scope(None)
            case Effect.FUTURE:
                self.guards.kept |= {self.program.binding[alias] for alias in self.program.future_annotations()}
            case Effect.CLASSES:
                self.guards.unnamed |= {self.program.binding[node] for node in self.program.classes}
            case Effect.LOCALS:
                self.guards.kept |= {binding for binding in self.program.bindings if binding.scope}

    def guard_namespace(self, name: str, node: ast.Name | ast.Attribute) -> None:
        """One mention of a builtin that sees a namespace."""
        parent = self.program.parents[node]
        call = parent if isinstance(parent, ast.Call) and parent.func is node else None
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value  # type: ignore[assignment]
        scope = self.program.scope[root]
        if call and name in ("vars", "dir") and call.args:
            return  # attributes of an object, and no attribute is ever renamed
        if call and name in ("exec", "eval") and len(call.args) > 1:
            return  # in a namespace that is given; where that is `globals()`, its own guard holds
        self.sees_globals |= name in ("exec", "eval", "globals") or scope.parent is None or call is None
        if call and name in ("globals", "locals", "vars", "dir") and (asked := self.looked_up(call)):
            searched = None if name == "globals" else scope
            self.guards.asked.add(asked)
            self.guards.namespace.update(b for b in self.program.bindings if b.name == asked and _is_in(b, searched))
            return
        if call is None and name != "globals":  # may be called anywhere, and sees the names there
            self.guards.namespace.update(binding for binding in self.program.bindings if binding.scope)
            self.block(node.lineno, name, "the names of all locals and all global names", Caution.UNREAD)
            return
        match call:
            case ast.Call(args=[ast.Constant(value=str(code))]) if name in ("exec", "eval"):
                named = set(_IDENTIFIER.findall(code))
                self.guards.asked |= named
                self.guards.namespace |= {binding for binding in self.program.bindings if binding.name in named}
                while scope.parent:  # a local must not take a name that the code looks up further out
                    self.keep_scope(scope)
                    scope = scope.parent
                return
        reached: Scope | None = scope
        while reached is not None:  # what the code sees: this function, those around it, and the module
            if reached.parent is None and name in ("locals", "vars", "dir") and reached is not scope:
                break
            self.keep_scope(reached if reached.parent and name != "globals" else None)
            reached = reached.parent
        which = "all global names" if name == "globals" or scope.parent is None else "the names of its function"
        which += " and all global names" if name in ("exec", "eval") and scope.parent else ""
        self.block(node.lineno, f"{name}()", which, Caution.UNREAD)

    def looked_up(self, call: ast.Call) -> str:
        """The one name that a namespace is asked for, if that is all."""
        parent = self.program.parents[call]
        match parent, self.program.parents.get(parent):
            case ast.Subscript(value=value, slice=key, ctx=ast.Load()), _ if value is call:
                return self.program.text(key)
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()]), _:
                return self.program.text(key)
            case ast.Attribute(attr="get"), ast.Call(args=[key, *_]):
                return self.program.text(key)
        return ""

    def keep_scope(self, scope: Scope | None) -> None:
        """Keep the names of a scope; None for those of the module."""
        self.guards.namespace.update(binding for binding in self.program.bindings if _is_in(binding, scope))

    def guard_escapes(self) -> None:
        if Caution.POSITIONAL in self.assumed:
            return
        for escape in find_escapes(self.program):
            kept = self.keep_escaped(escape)
            if kept:
                self.block(escape.line, escape.construct, kept, Caution.POSITIONAL)

    def keep_escaped(self, escape: Escape) -> str:
        """Keep what can be read of a function or class, and say what that is; nothing if it has nothing to read."""
        node = escape.node
        if isinstance(node, ast.ClassDef):
            inner: list[ast.AST] = [node, *self.program.methods_of(node)]
            kept = [arg for method in self.program.methods_of(node) for arg in without_first(method)]
            whose = f"what can be read of {node.name}"
        else:
            inner = [node]
            kept = without_first(node) if node in self.program.class_of else parameters(node.args)
            whose = "the parameters of a lambda" if isinstance(node, ast.Lambda) else f"what can be read of {node.name}"
        self.keep_parameters(kept)
        if Caution.UNREAD not in self.assumed:
            self.guards.documented.update(inner)
            self.guards.annotated.update(inner)
            for item in [node, *self.program.enclosing(node)]:  # a qualified name has those of all functions around
                if isinstance(item, Definition):
                    self.guards.kept.add(self.program.binding[item])
        return whose if kept or not isinstance(node, ast.Lambda) else ""

    def guard_protocols(self) -> None:
        if Caution.POSITIONAL in self.assumed:
            return
        for method in find_protocols(self.program):
            pinned = without_first(method)
            if not {self.program.binding[arg] for arg in pinned} <= self.guards.kept:
                construct = f"{self.program.class_of[method].name}.{method.name}"
                self.block(method.lineno, construct, f"the parameters of {method.name}", Caution.POSITIONAL)
            self.keep_parameters(pinned)

    def guard_mappings(self) -> None:
        self.keep_parameters(named_in_constructors(self.program))
        self.keep_parameters(beside_collected(self.program))
        if Caution.KEYS in self.assumed:
            return
        for pin in find_pins(self.program):
            for function in pin.functions:
                self.keep_parameters(parameters(function.args))
            self.block(pin.line, pin.construct, pin.whose, Caution.KEYS)

    def guard_definitions(self) -> None:
        """Classes and generators show their names whenever they are printed; what is decorated may be looked at."""
        self.guards.kept.update(names_in_prepared(self.program))
        for node in self.program.nodes:
            if not isinstance(node, Definition):
                continue
            is_known = has_known_decorators(node)
            if isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef)) or own_yields(node.body) or not is_known:
                self.guards.kept.add(self.program.binding[node])
                around = (item for item in self.program.enclosing(node) if isinstance(item, Definition))
                self.guards.kept.update(self.program.binding[item] for item in around)
            if not is_known:
                self.guards.annotated.update(item for item in ast.walk(node))  # a kernel's variables have types as well

    def guard_annotations(self) -> None:
        """Names that an annotation mentions: under `from __future__ import annotations` they are read as text.

        The name of that import as well, if anything mentions it: proofs do without the import.
        """
        futures = {self.program.binding[alias] for alias in self.program.future_annotations()}
        self.guards.kept |= {binding for binding in futures if len(binding.mentions) > 1}
        inside: set[ast.AST] = set()
        words: set[str] = set()
        for node in self.program.nodes:
            for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
                if isinstance(annotation, ast.AST):
                    inside.update(ast.walk(annotation))
        for item in inside:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                words.update(_IDENTIFIER.findall(item.value))
        for binding in self.program.bindings:
            if binding.name in words or any(mention.node in inside for mention in binding.mentions):
                self.guards.kept.add(binding)

    def keep_parameters(self, args: Iterable[ast.arg]) -> None:
        self.guards.kept.update(self.program.binding[arg] for arg in args)

    def block(self, line: int, construct: str, keeps: str, caution: Caution) -> None:
        self.guards.blockers.append(Blocker(line, construct, keeps, caution))


def _is_in(binding: Binding, scope: Scope | None) -> bool:
    """Whether a scope binds a name; None for the module."""
    if scope is None:
        return binding.scope is not None and binding.scope.parent is None
    return binding.scope is scope
