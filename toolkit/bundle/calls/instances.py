"""Follow instances of our classes from where they begin to wherever they go.

Followed are variables, attributes, arguments and results of our functions, lists that a comprehension makes,
`nn.ModuleList`, subscripts and loops. Whatever else is done with an instance is refused, such as handing it to foreign
code or appending it to a list.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from toolkit.bundle.calls.uses import Uses
from toolkit.bundle.rewrite.simplify import own_nodes, own_yields

Kind = Literal["one", "many", "pairs"]  # an instance, a collection of them, or pairs of a key and an instance

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Unfollowed(Exception):
    """An instance goes where it is not followed."""


class Trail:
    """All expressions that may be one of the instances which begin as the given ones; raises `Unfollowed`.

    `classes` tells expressions that surely are an instance of one class, of those that have no instance in common;
    `chained` are methods that return the instance itself.
    """

    def __init__(
        self,
        uses: Uses,
        begin: Iterable[ast.expr],
        classes: Mapping[ast.expr, ast.ClassDef],
        chained: re.Pattern[str],
        kind: Kind = "one",
    ) -> None:
        self.uses = uses
        self.classes = dict(classes)
        self.chained = chained
        self.reached: dict[ast.expr, Kind] = {}
        self.holders: set[Any] = set()  # names, attributes and parameters that it is put in
        self.returned_by: set[ast.FunctionDef] = set()
        pending = [(node, kind) for node in begin]
        while pending:
            node, kind = pending.pop()
            if node not in self.reached:
                self.reached[node] = kind
                pending += self._onward(node, kind)
            elif self.reached[node] != kind:
                raise Unfollowed

    def calls(self) -> list[ast.Call]:
        """Calls of the instances themselves."""
        return [
            self.uses.calls[node] for node, kind in self.reached.items() if kind == "one" and node in self.uses.calls
        ]

    def method_calls(self, name: str) -> list[ast.Call] | None:
        """Calls of a method, None unless it is for this alone that the program ever mentions the name."""
        accesses = [access for access in self.uses.attributes.get(name, []) if not self._is_foreign(access)]
        is_known = all(self.reached.get(access.value) == "one" and access in self.uses.calls for access in accesses)
        return [self.uses.calls[access] for access in accesses] if is_known and name not in self.uses.strings else None

    def _is_foreign(self, access: ast.Attribute) -> bool:
        """Whether an attribute is that of something imported or, as `super().m`, of a base class."""
        is_super = isinstance(access.value, ast.Call) and self.uses.outside_name(access.value.func) == "super"
        return is_super or bool(self.uses.outside_name(access.value))

    # Following

    def _onward(self, node: ast.expr, kind: Kind) -> Iterator[tuple[ast.expr, Kind]]:
        """Where an expression's value is found next."""
        parent = self.uses.source.parents[node]
        called = self.uses.outside_name(parent.func) if isinstance(parent, ast.Call) else ""
        match kind, parent:
            case "one", ast.Call(func=func) if func is node or called == "isinstance":
                return
            case "one", ast.Compare(ops=[ast.Is() | ast.IsNot()]) | ast.If():
                return
            case "one", ast.Attribute(attr=name):
                if self.chained.fullmatch(name) and parent in self.uses.calls:
                    yield self.uses.calls[parent], "one"
            case "one", ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) if element is node:
                yield parent, "many"
            case "many", ast.Call() if called == "enumerate":
                yield parent, "pairs"
            case "many", ast.Call() if called in ("list", "nn.ModuleList", "reversed", "tuple"):
                yield parent, "many"
            case "many", ast.Call() if called == "len":
                return
            case "many", ast.Subscript(value=value, slice=index) if value is node:
                yield parent, "many" if isinstance(index, ast.Slice) else "one"
            case "many" | "pairs", ast.For(target=target, iter=items) | ast.comprehension(
                target=target, iter=items
            ) if items is node:
                yield from self._into(target if kind == "many" else _second(target), "one")
            case "one" | "many", ast.Assign(targets=targets):
                for target in targets:
                    yield from self._into(target, kind)
            case "one" | "many", ast.AnnAssign(target=target):
                yield from self._into(target, kind)
            case "one" | "many", ast.Call() | ast.keyword():
                yield from self._into(self.uses.parameter_of(node), kind)
            case "one" | "many", ast.Return():
                yield from ((call, kind) for call in self._calls_around(parent))
            case _, ast.Expr():
                return
            case _:
                raise Unfollowed

    def _into(self, target: ast.AST | None, kind: Kind) -> Iterator[tuple[ast.expr, Kind]]:
        """All reads of what a value is put in."""
        match target:
            case ast.Name() | ast.arg():
                nodes = [mention.node for mention in self.uses.meaning[target].mentions]
            case ast.Attribute(value=owner) if not self.uses.outside_name(owner):
                nodes = self._accesses(target)
            case _:
                raise Unfollowed
        self.holders.add(target)
        yield from ((node, kind) for node in nodes if isinstance(getattr(node, "ctx", None), ast.Load))

    def _accesses(self, target: ast.Attribute) -> list[ast.Attribute]:
        """Accesses that may mean the same attribute: not that of another class, nor of what is imported."""
        owner = self.classes.get(target.value)
        return [
            access
            for access in self.uses.attributes[target.attr]
            if (owner is None or self.classes.get(access.value, owner) is owner)
            and not self.uses.outside_name(access.value)
        ]

    def _calls_around(self, stmt: ast.Return) -> list[ast.Call]:
        """Calls that give what a statement returns."""
        function = next(node for node in self.uses.source.ancestors(stmt) if isinstance(node, _FUNCTIONS))
        callee = next((callee for callee in self.uses.callees if callee.function is function), None)
        if callee is None or own_yields(callee.function.body):
            raise Unfollowed
        self.returned_by.add(callee.function)
        return callee.calls

    # Whether nothing else is mixed in

    def is_exclusive(self, stores: Mapping[ast.ClassDef, set[str]]) -> bool:
        """Whether everything reached can only be one of the instances, or None, which no call survives.

        `stores` are the attributes that instances of a class have from us alone.
        """
        results = [node.value for f in self.returned_by for node in own_nodes(f.body) if isinstance(node, ast.Return)]
        return all(value is None or self._is_known(value) for value in results) and all(
            self._is_exclusive_attribute(holder, stores)
            if isinstance(holder, ast.Attribute)
            else self._is_exclusive_name(holder)
            for holder in self.holders
        )

    def _is_exclusive_attribute(self, holder: ast.Attribute, stores: Mapping[ast.ClassDef, set[str]]) -> bool:
        if holder.attr in self.uses.strings or holder.attr in self.uses.class_names:
            return False
        for access in self._accesses(holder):
            if not isinstance(access.ctx, ast.Load):
                is_known = self._is_known_target(access)
            else:
                is_known = access.value in self.classes and holder.attr in stores[self.classes[access.value]]
            if not is_known:
                return False
        return True

    def _is_exclusive_name(self, holder: ast.Name | ast.arg) -> bool:
        nodes = [mention.node for mention in self.uses.meaning[holder].mentions]
        return all(
            (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)) or self._is_known_target(node)
            for node in nodes
        )

    def _is_known_target(self, target: ast.AST) -> bool:
        """Whether a place where something is put only gets what is known."""
        if isinstance(target, ast.arg):
            values = next((callee.values(target) for callee in self.uses.callees if target in callee.parameters), None)
            return values is not None and all(self._is_known(value) for value in values)
        match self.uses.source.parents[target]:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self._is_known(value)
        return target in self.holders

    def _is_known(self, value: ast.expr) -> bool:
        return value in self.reached or (isinstance(value, ast.Constant) and value.value is None)


def _second(target: ast.expr) -> ast.expr | None:
    """The second of the two names that a pair is put in."""
    return target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
