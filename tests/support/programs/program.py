"""Programs for the packer, written by Hypothesis: they run, print what they compute, and mix scopes and calls.

What may fail at a call is caught, and only the type of the exception is printed, since its text may name a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from tests.support.programs.definitions import Definitions
from tests.support.programs.idioms import IDIOMS
from tests.support.programs.scopes import FUNCTIONS, VARIABLES, Scope

PRELUDE = """\
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


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    """Source of a program."""
    writer = _Writer(draw)
    module = Scope("module")
    writer.line(PRELUDE)
    for name in draw(st.permutations(VARIABLES))[:4]:
        writer.line(f"{name} = {draw(st.integers(0, 9))}")
        module.bind(name)
    while writer.left > 0:
        writer.statement(module)
        if writer.chance(3):
            writer.attempt(module)
    writer.line(f"print({', '.join(module.visible_numbers())})")
    return "\n".join(writer.lines) + "\n"


class _Writer(Definitions):
    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        super().__init__(draw)
        self.left = 24  # statements to write

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
            self.function_statement,
            self.function_statement,
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
        bound = sorted(scope.numbers - scope.declared & set(VARIABLES))
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

    def idiom(self, scope: Scope) -> None:
        """One of what the rest of this never writes."""
        text = self.choose(IDIOMS)
        names = dict(zip("xyz", self.draw(st.permutations(VARIABLES)), strict=False))
        scope.numbers -= {names[key] for key in "xyz"}
        self.line(text.format(**names, f="idiomatic", value=self.number(scope)))
        for key in "xyz":
            self.line(f"{names[key]} = {self.draw(st.integers(0, 9))}")
            scope.bind(names[key])
