"""How a program uses its names: what each means, where an attribute is accessed, which calls reach a function."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.bundle.rewrite.signatures import constructor, has_known_decorators, sole_definition


@dataclass(frozen=True, eq=False)
class Callee:
    """A function or method of ours and all the calls that reach it."""

    function: ast.FunctionDef
    parameters: list[ast.arg]  # those that calls can fill by position: `self` is none of them
    calls: list[ast.Call]

    def parameter(self, call: ast.Call, argument: ast.expr) -> ast.arg | None:
        """The parameter that takes an argument of a call, None if that is not sure."""
        return next((arg for arg in self.parameters if _value(self.given(call, arg)) is argument), None)

    def given(self, call: ast.Call, parameter: ast.arg) -> ast.expr | ast.keyword | None:
        """What a call passes for a parameter, None for its default."""
        index = self.parameters.index(parameter)
        if index < len(call.args):
            return call.args[index]
        return next((item for item in call.keywords if item.arg == parameter.arg), None)

    def default(self, parameter: ast.arg) -> ast.expr | None:
        arguments = self.function.args
        return dict(zip(arguments.args[::-1], arguments.defaults[::-1], strict=False)).get(parameter)

    def values(self, parameter: ast.arg) -> list[ast.expr] | None:
        """What a parameter gets from each call, an argument or its default; None if one gives neither."""
        default = self.default(parameter)
        values = [value for call in self.calls if (value := _value(self.given(call, parameter)) or default)]
        return values if len(values) == len(self.calls) else None


def _value(argument: ast.expr | ast.keyword | None) -> ast.expr | None:
    return argument.value if isinstance(argument, ast.keyword) else argument


class Uses:
    """All names and attributes of a whole program, whose imports are left out."""

    def __init__(self, source: Source) -> None:
        self.source = source
        nodes = list(ast.walk(source.tree))
        self.bindings = find_bindings(source.tree)
        self.meaning = {mention.node: binding for binding in self.bindings for mention in binding.mentions}
        self.calls = {node.func: node for node in nodes if isinstance(node, ast.Call)}
        self.strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        self.attributes: dict[str, list[ast.Attribute]] = {}
        for node in nodes:
            if isinstance(node, ast.Attribute):
                self.attributes.setdefault(node.attr, []).append(node)
        notes = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
        self.annotations = {inner for note in notes if note for inner in ast.walk(note)}
        self.class_names = {b.name for b in self.bindings if b.scope and isinstance(b.scope.node, ast.ClassDef)}
        self.callees = list(self._callees())

    def parameter_of(self, argument: ast.expr) -> ast.arg | None:
        """The parameter of a callee that an argument of a call is for, None if that is not sure."""
        parent = self.source.parents[argument]
        around = self.source.parents[parent] if isinstance(parent, ast.keyword) else parent
        found = [callee.parameter(call, argument) for callee in self.callees for call in callee.calls if call is around]
        return found[0] if found else None

    def outside_name(self, node: ast.expr) -> str:
        """The dotted name of a builtin or of what an import brings, else nothing."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return ast.unparse(node) if isinstance(root, ast.Name) and self.meaning[root].scope is None else ""

    def _callees(self) -> Iterator[Callee]:
        """Functions and constructors that are only ever called by their name."""
        for binding in self.bindings:
            definition, mentions = sole_definition(binding)
            if definition and has_known_decorators(definition):
                function = constructor(definition) if isinstance(definition, ast.ClassDef) else definition
                calls = self.direct_calls(mentions)
                skipped = int(function is not definition)
                if (
                    isinstance(function, ast.FunctionDef)
                    and calls
                    and (callee := self.callee(function, calls, skipped))
                ):
                    yield callee

    def direct_calls(self, mentions: list[ast.Name]) -> list[ast.Call] | None:
        """The calls of a function or class by its name, None if the program does more with it.

        Annotations may name it as well, and `isinstance`.
        """
        evaluated = [node for node in mentions if node not in self.annotations and not self._is_tested_for(node)]
        return [self.calls[node] for node in evaluated] if all(node in self.calls for node in evaluated) else None

    def _is_tested_for(self, node: ast.expr) -> bool:
        """Whether a class is what `isinstance` looks for."""
        match self.source.parents[node]:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
                return kind is node
            case ast.Tuple() as kinds:
                return self._is_tested_for(kinds)
        return False

    def callee(self, function: ast.FunctionDef, calls: list[ast.Call], skipped: int) -> Callee | None:
        """A function with all its calls, if these show what they pass; `skipped` of its parameters they never fill."""
        arguments = function.args
        is_open = arguments.posonlyargs or arguments.vararg or arguments.kwarg or any(map(self._is_open, calls))
        return None if is_open else Callee(function, arguments.args[skipped:], calls)

    def _is_open(self, call: ast.Call) -> bool:
        """Whether a call may pass more than it shows, or stands in an f-string, where positions are not reliable."""
        is_starred = any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords)
        return is_starred or self.source.enclosing_fstring(call) is not None
