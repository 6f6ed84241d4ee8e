"""Programs for the packer, written by Hypothesis: they run, print what they compute, and mix scopes and calls.

What may fail at a call is caught, and only the type of the exception is printed, since its text may name a variable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from tests.support.expressions import (
    ATTRIBUTES,
    CLASSES,
    FUNCTIONS,
    METHODS,
    OBJECTS,
    VARIABLES,
    Expressions,
    Scope,
    Signature,
)

_PRELUDE = """\
import contextlib, dataclasses, functools
def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        return function(*arguments, **options)
    return wrapper
def decorate_with(step):
    def decorator(function):
        return lambda *arguments, **options: function(*arguments, **options) + step
    return decorator
def call_with(function, *arguments, **options):
    return function(*arguments, **options)
@contextlib.contextmanager
def managed(start):
    try:
        yield start + 1
    finally:
        print("left", start)
"""
_READERS = (  # what a program may ask about itself, for a function
    "{0}.__name__",
    "{0}.__doc__",
    "sorted(getattr({0}, '__annotations__', {{}}))",
    "'{0}' in globals()",
    "[name for name in dir() if name == '{0}']",
    "eval('{0}').__name__",
)
_IDIOMS = (
    """\
def {f}():
    global {x}, late
    late = {x} = {value}
{f}()
def {f}():
    global late
    del late
print(late)
{f}()
print('late' in globals())""",
    """\
def {f}({x}):
    class {x}:
        global {y}
        {y} = {z} = {value}
        {x} = [{z} for {z} in range(2)]
    return {x}.{x}, {x}.{z}
print({f}(1), {y})""",
    """\
{x} = {value}
class {y}:
    {x} = {x} + 1
    {z} = [{x} for _ in range(2)]
    def {f}(self, {y}={x}):
        __local = {x} + {y}
        return __local, __class__.{x}
print({y}.{x}, {y}.{z}, {y}().{f}(), {y}().{f}({y}=3))""",
    """\
def {f}():
    global {x}
    import math as {x}
    from os import path as {y}
    return {y}.join("a", "b")
print({f}(), {x}.floor(2.5))""",
    """\
class {y}:
    def __{f}(self):
        return {value}
    def {x}(self, __{z}=2):
        __inner = lambda __{z}: __{z} + self.__{f}()
        return __inner(__{z}), getattr(self, "_{y}__{f}")()
print({y}().{x}())""",
    """\
def {f}({x}, {y}=1):
    def {z}():
        nonlocal {x}
        {x} += {y}
        return sorted(locals())
    return len({z}()), {x}, eval("{x}"), [{y} for {x} in range({x} % 3)]
print({f}({value}))""",
    """\
def {f}():
    try:
        return {x}
    except UnboundLocalError:
        return "unbound"
    finally:
        for {x} in ():
            pass
print({f}())""",
    """\
async def {f}({x}, *, {y}={value}):
    return [{z} async for {z} in {f}_items({x})] + [{y}]
async def {f}_items({z}):
    for {x} in range({z}):
        yield {x}
import asyncio
print(asyncio.run({f}(2, {y}=5)))""",
    """\
print(*map(lambda {x}, {y}={value}: {x} + {y}, [1, 2]), sep='|')
print([({x}, {y}) for {x} in range(2) for {y} in range({x} + 1) if ({z} := {x} + {y}) < 5], {z})""",
    """\
if ({x} := {value}) is not None and True:
    if True: {y} = {x}
    else: {y}: int = 0
while True:
    {z} = {x}; break
print({x}, {y}, {z})""",
)


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    """Source of a program."""
    writer = _Writer(draw)
    module = Scope("module")
    writer.line(_PRELUDE)
    for name in draw(st.permutations(VARIABLES))[:4]:
        writer.line(f"{name} = {draw(st.integers(0, 9))}")
        module.bind(name)
    while writer.left > 0:
        writer.statement(module)
        if writer.chance(3):
            writer.attempt(module)
    writer.line(f"print({', '.join(module.visible_numbers())})")
    return "\n".join(writer.lines) + "\n"


class _Writer(Expressions):
    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        super().__init__(draw)
        self.lines: list[str] = []
        self.depth = 0
        self.left = 24  # statements to write
        self.methods: dict[str, dict[str, Signature]] = {}  # of the classes of the module

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

    @contextmanager
    def branch(self, scope: Scope, head: str) -> Iterator[None]:
        """A block that may not run: what it binds belongs to the scope, and is not bound behind it."""
        numbers, callables, objects = set(scope.numbers), dict(scope.callables), set(scope.objects)
        with self.block(head):
            yield
        scope.numbers &= numbers
        scope.callables = {n: s for n, s in scope.callables.items() if callables.get(n) is s}
        scope.objects &= objects

    def statements(self, scope: Scope, at_most: int = 3) -> None:
        for _ in range(self.draw(st.integers(1, at_most))):
            self.statement(scope)

    def statement(self, scope: Scope) -> None:
        self.left -= 1
        if self.left < -8 or self.depth > 4:
            self.assign(scope)
            return
        kinds: list[Callable[[Scope], None]] = [
            self.assign,
            self.assign,
            self.show,
            self.function,
            self.function,
            self.condition_statement,
            self.loop,
            self.matching,
            self.trying,
            self.managing,
            self.class_statement,
            self.lambda_statement,
            self.delete,
        ]
        kinds += [self.data_class, self.idiom] if scope.kind == "module" and not self.depth else []
        kind: Callable[[Scope], None] = self.choose(kinds)
        kind(scope)

    def target(self, scope: Scope) -> str:
        """A variable of a scope to bind. In a function it is one of those that were chosen for it."""
        pool = sorted(scope.own & set(VARIABLES)) if scope.kind == "function" else VARIABLES
        return str(self.choose(pool or ["local"]))

    def assign(self, scope: Scope) -> None:
        name, value = self.target(scope), self.number(scope)
        form = self.choose(
            ("{0} = {1}", "{0} = {1}", "{0}: int = {1}", "{0} += {1}", "{0}, _ = {1}, 1", "({0}, *_) = [{1}, 2]")
        )
        if ("+=" in form and name not in scope.numbers) or (": int" in form and name in scope.declared):
            form = "{0} = {1}"
        self.line(form.format(name, value))
        scope.bind(name)

    def show(self, scope: Scope) -> None:
        names, known = scope.visible_numbers(), scope.visible_callables()
        if known and self.chance(4):
            self.line(f"print({self.choose(_READERS).format(self.choose(known))})")
        elif names and self.chance(2):
            self.line(f'print(f"{{{self.choose(names)}=}}", {self.number(scope)})')
        else:
            self.line(f"print({self.number(scope)}, sep={self.choose(('None', repr('|')))})")

    def attempt(self, scope: Scope) -> None:
        """Whatever a program does not survive; unbound names above all."""
        with self.branch(scope, "try:"):
            name = self.choose((*VARIABLES, *FUNCTIONS[:2]))
            self.line(f"print({self.choose((name, name + ' + 1', self.number(scope, 3)))} is None)")
        with self.block("except Exception as error:"):
            self.line("print(type(error).__name__)")

    def delete(self, scope: Scope) -> None:
        bound = sorted(scope.numbers & set(VARIABLES))
        if bound:
            self.line(f"del {(name := self.choose(bound))}")
            self.bind_again(scope, name)

    def bind_again(self, scope: Scope, name: str) -> None:
        """A name that a statement has left unbound: whoever reads it in the next turn of a loop relies on it."""
        scope.numbers.discard(name)
        self.line(f"{name} = {self.number(scope)}")
        scope.bind(name)

    def condition_statement(self, scope: Scope) -> None:
        with self.branch(
            scope, f"if {self.choose((self.condition(scope, 2), self.condition(scope, 1), 'True', '0'))}:"
        ):
            self.statements(scope)
        if self.chance(2):
            with self.branch(scope, "else:"):
                self.statements(scope)

    def loop(self, scope: Scope) -> None:
        name = self.target(scope)
        with self.branch(scope, f"for {name} in range({self.number(scope, 1)} % 3):"):
            scope.bind(name)
            self.statements(scope)
            if self.chance(3):
                with self.block(f"if {self.condition(scope, 1)}:"):
                    self.line(self.choose(("break", "continue")))
        if self.chance(3):
            with self.branch(scope, "else:"):
                self.statements(scope, 1)

    def matching(self, scope: Scope) -> None:
        first, second = self.target(scope), self.target(scope)
        subject, patterns = self.choose(
            (
                ("{0} % 3, {1}", ("0, {a}", "(1 | 2), {b}")),
                ('{{"key": {0}, "more": {1}}}', ('{{"key": {a}, "none": _}}', '{{"more": {b}, **_rest}}')),
                ("[{0}, {1}, 3]", ("[0, *_]", "[{a}, *_more]")),
                ("{0}", ("int(0 | 1)", "int() as {a} if {a} > 3")),
            )
        )
        with self.block(f"match {subject.format(self.number(scope, 1), self.number(scope, 1))}:"):
            for pattern in patterns:
                with self.branch(scope, f"case {pattern.format(a=first, b=second)}:"):
                    for name in {"{a}": [first], "{b}": [second]}.get(pattern[-3:], []):
                        scope.bind(name)
                    self.statements(scope, 2)
            with self.branch(scope, "case _:"):
                self.statements(scope, 1)

    def trying(self, scope: Scope) -> None:
        name = self.target(scope)
        with self.branch(scope, "try:"):
            self.statements(scope, 2)
            if self.chance(2):
                self.line(f"raise {self.choose(('ValueError', 'KeyError'))}({self.number(scope)})")
        with self.branch(scope, f"except (ValueError, KeyError) as {name}:"):
            scope.own.add(name)
            scope.numbers.discard(name)
            self.line(f"print(type({name}).__name__, {name}.args[0])")
            self.statements(scope, 1)
        if self.chance(2):
            with self.branch(scope, "finally:"):
                self.line(f"print({self.draw(st.integers(0, 9))})")
        self.bind_again(scope, name)

    def managing(self, scope: Scope) -> None:
        name = self.target(scope)
        with self.block(f"with managed({self.number(scope)}) as {name}:"):
            scope.bind(name)
            self.statements(scope, 2)

    # Functions and classes.

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

    def function(self, scope: Scope, pool: tuple[str, ...] = FUNCTIONS, first: str = "") -> Signature:
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

    def idiom(self, scope: Scope) -> None:
        """One of what the rest of this never writes."""
        text = self.choose(_IDIOMS)
        names = dict(zip("xyz", self.draw(st.permutations(VARIABLES)), strict=False))
        scope.numbers -= {names[key] for key in "xyz"}
        self.line(text.format(**names, f="idiomatic", value=self.number(scope)))
        for key in "xyz":
            self.line(f"{names[key]} = {self.draw(st.integers(0, 9))}")
            scope.bind(names[key])
