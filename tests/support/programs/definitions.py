"""Functions and classes of the programs in `program.py`."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from tests.support.programs.expressions import Expressions
from tests.support.programs.scopes import (
    ATTRIBUTES,
    CLASSES,
    FUNCTIONS,
    METHODS,
    OBJECTS,
    VARIABLES,
    Scope,
    Signature,
)


class Definitions(Expressions, ABC):
    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        super().__init__(draw)
        self.lines: list[str] = []
        self.depth = 0
        self.methods: dict[str, dict[str, Signature]] = {}  # of the classes of the module

    @abstractmethod
    def statements(self, scope: Scope, at_most: int = 3) -> None:
        """Write a body."""

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self.depth += 1
        yield
        if self.lines[-1].endswith(":"):
            self.line("pass")
        self.depth -= 1

    def parameters(self, scope: Scope, inner: Scope, first: str = "") -> tuple[str, Signature]:
        """The text of a list of parameters, and what calls must know; they are bound in `inner`."""
        names = [name for name in self.some(VARIABLES, 4) if name != first]
        split = self.draw(st.integers(0, len(names)))
        optional = self.draw(st.integers(0, split))
        signature = Signature([(name, i >= optional) for i, name in enumerate(names[:split])])
        signature.keyword_only = [(name, self.chance(2)) for name in names[split:]]
        signature.star, signature.mapping = self.chance(4), self.chance(4)
        texts = [first] if first else []
        for name, has_default in signature.positional:
            texts.append(
                f"{name}{self.choose(('', '', ': int'))}{f' = {self.number(scope, 1)}' if has_default else ''}"
            )
        if signature.positional and self.chance(4):
            signature.num_positional_only = 1
            texts.insert(2 if first else 1, "/")
        if signature.star:
            texts.append("*arguments")
        elif signature.keyword_only:
            texts.append("*")
        for name, has_default in signature.keyword_only:
            texts.append(f"{name}{f'={self.number(scope, 1)}' if has_default else ''}")
        if signature.mapping:
            texts.append("**options")
        for name in names:
            inner.bind(name)
        return ", ".join(texts), signature

    def function(self, scope: Scope, pool: tuple[str, ...], first: str = "") -> Signature:
        name = self.choose([name for name in pool if name not in scope.declared])
        inner = Scope("function", scope, callables=dict(scope.in_methods) if first else {})
        parameters, signature = self.parameters(scope, inner, first)
        is_generator = self.chance(5)
        decorators = ["", "", "", "@decorate"]
        if not is_generator:
            decorators += ["@functools.lru_cache(None)", f"@decorate_with({self.number(scope, 1)})"]
        if decorator := self.choose(decorators):
            self.line(decorator)
        with self.block(f"def {name}({parameters}):"):
            if self.chance(4):
                self.line(f'"""Says {name}."""')
            self.declare(inner)
            inner.own |= set(self.some(VARIABLES, 3))
            self.statements(inner, 4)
            extra = [
                f"len({group})" for group, has in (("arguments", signature.star), ("options", signature.mapping)) if has
            ]
            if signature.mapping and self.chance(2):
                extra.append("sum(options.values())")
            if first and self.chance(2):
                extra.append(f"{first}.{self.choose(ATTRIBUTES[:3])}")
            value = " + ".join([self.number(inner), *extra])
            if is_generator:
                self.line(f"yield {value}")
                signature.result = "sum({})" if self.chance(2) else "next({})"
            else:
                self.line(f"return {value}")
        signature.rank = inner.rank
        if not first:
            scope.bind_callable(name, signature)
        return signature

    def function_statement(self, scope: Scope) -> None:
        self.function(scope, FUNCTIONS)

    def declare(self, inner: Scope) -> None:
        """`global` and `nonlocal` for names that are bound out there, and now and then for one that is not."""
        taken = set(inner.own)
        numbers = inner.module.numbers & set(VARIABLES) - taken
        if self.chance(3) and numbers:
            name = self.choose(sorted(numbers))
            self.line(f"global {name}")
            inner.declared.add(name)
            inner.bind(name)
        outer = inner.parent
        while outer and outer.kind == "class":
            outer = outer.parent
        if outer and outer.kind == "function" and self.chance(2):
            reachable = outer.numbers - outer.declared - inner.own
            if reachable:
                name = self.choose(sorted(reachable))
                self.line(f"nonlocal {name}")
                inner.declared.add(name)
                inner.bind(name)

    def lambda_statement(self, scope: Scope) -> None:
        name = self.choose([name for name in FUNCTIONS if name not in scope.declared])
        inner = Scope("function", scope)
        parameters, signature = self.parameters(scope, inner)
        parameters = parameters.replace(": int", "")
        self.line(f"{name} = lambda {parameters}: {self.number(inner)}")
        signature.rank = inner.rank
        scope.bind_callable(name, signature)

    def class_statement(self, scope: Scope) -> None:
        """A class with methods, and where calls may see it an object of it."""
        name, bases = self.choose(CLASSES), sorted(self.methods)
        base = self.choose(bases) if bases and scope.kind == "module" and not self.depth and self.chance(2) else ""
        inner = Scope("class", scope)
        methods = dict(self.methods.get(base, {}))
        with self.block(f"class {name}{f'({base})' if base else ''}:"):
            self.declare(inner)
            self.statements(inner)
            start = Scope("function", inner)
            parameters, signature = self.parameters(inner, start, "self")
            with self.block(f"def __init__({parameters}):"):
                if base:
                    self.line(f"super().__init__({self.arguments(methods['__init__'], start, 1)})")
                for attribute in ATTRIBUTES:
                    self.line(f"self.{attribute} = {self.number(start)}")
            methods["__init__"] = signature
            for method in self.some(METHODS, 3):
                for known in methods.keys() - {"__init__"}:
                    inner.in_methods[f"self.{known}"] = methods[known]
                methods[method] = self.function(inner, (method,), "self")
        scope.bind_callable(name, dataclasses.replace(signature, result="{}.value"))
        if scope.kind == "module":
            self.methods.pop(name, None)
        if scope.kind != "module" or self.depth:
            return
        self.methods[name] = {n: s for n, s in methods.items() if not n.startswith("__") or n == "__init__"}
        thing = self.choose(OBJECTS)
        self.line(f"{thing} = {name}({self.arguments(signature, scope, 1)})")
        self.forget_object(scope, thing)
        scope.objects.add(thing)
        for method, called in methods.items():
            if method != "__init__":
                mangled = f"_{name}{method}" if method.startswith("__") else method
                scope.callables[f"{thing}.{mangled}"] = called

    def data_class(self, scope: Scope) -> None:
        names = self.some(VARIABLES, 4) or ["width"]
        name, thing = self.choose(CLASSES), self.choose(OBJECTS)
        signature = Signature([(field, i > 1) for i, field in enumerate(names)])
        self.line(self.choose(("@dataclasses.dataclass", "@dataclasses.dataclass(order=True)")))
        with self.block(f"class {name}:"):
            for field, has_default in signature.positional:
                self.line(f"{field}: int{f' = {self.draw(st.integers(0, 9))}' if has_default else ''}")
        self.methods.pop(name, None)
        self.line(f"{thing} = {name}({self.arguments(signature, scope, 1)})")
        self.line(f"{thing} = dataclasses.replace({thing}, **{{{names[0]!r}: {self.number(scope)}}})")
        self.line(f"print({thing}, sum(dataclasses.asdict({thing}).values()))")
        with self.block(f"match {thing}:"), self.block(f"case {name}({names[0]}=found):"):
            self.line("print(found)")
        self.forget_object(scope, thing)
        scope.objects.add(thing)
        scope.bind_callable(name, dataclasses.replace(signature, result=f"{{}}.{names[0]}"))

    def forget_object(self, scope: Scope, thing: str) -> None:
        scope.callables = {n: s for n, s in scope.callables.items() if not n.startswith(f"{thing}.")}
