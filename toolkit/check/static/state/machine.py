"""The state of an abstract run, and what its parts and the library ask of one another."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Protocol

from toolkit.check.static.context.native import Native
from toolkit.check.static.context.printed import Printed
from toolkit.check.static.context.settings import Settings
from toolkit.check.static.labels.events import Event, Trace
from toolkit.check.static.labels.values import Class, Instance, Mapping, Module, Scope, Sequence, Value

MAX_STEPS = 200_000  # the longest published script takes about 60,000
MAX_DEPTH = 500
MAX_EVENTS = 20_000

NEXT, RETURN, BREAK, CONTINUE = "next", "return", "break", "continue"


class Stopped(Exception):
    """A limit of the analysis was reached."""


@dataclass(eq=False, slots=True)
class Frame:
    name: str
    scope: Scope
    owner: Class | None = None
    line: int = 0  # of the call being evaluated
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)


class State:
    """The state of a run."""

    def __init__(self, modules: dict[str, Module], settings: Settings, printed: Printed) -> None:
        self.modules = modules
        self.settings = settings
        self.printed = printed
        self.trace = Trace()
        self.frames: list[Frame] = []
        self.loops: list[tuple[int, int]] = []
        self.guards: list[str] = []
        self.uncertain = 0  # > 0 inside a branch that may not be taken
        self.steps = 0
        self.depth = 0
        self.loop_count = 0
        self.model_count = 0
        self.pruned: list[set[str]] = []  # per loop being walked: names in conditions that folded
        self.touched: list[list[Mapping | Sequence]] = []  # per loop being walked: containers it has stored into
        self.exits: list[list[dict[str, Value]]] = []  # per loop being walked: names where an arm left the body early
        self.read: list[set[tuple[Instance, str]]] = []  # per loop being walked: attributes whose constants were used
        self.written: list[set[tuple[Instance, str]]] = []  # and attributes set
        self.writes = 0
        self.gradient: frozenset[str] = frozenset()
        self.array_count = 0
        self.saved: frozenset[str] = frozenset()  # labels of model states and losses written to files so far
        self.mixed: set[tuple[int, int, int]] = set()  # places of additions walked before
        self.environment: dict[str, Value] = {}  # variables that the code itself sets
        self.natives: dict[str, Native] = {}
        self.memo: dict[object, Value] = {}
        self.contradicted: set[str] = set()  # settings whose value the log's lines do not agree with

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def contradict(self, test: Value) -> None:
        """The log shows another outcome of a condition than the settings that decide it."""
        self.contradicted |= {tag[4:].partition("=")[0] for tag in test.tags if tag.startswith("cfg:")}

    def touch(self, value: Value) -> None:
        """Note a store into a container while a loop is walked."""
        if self.touched:
            self.touched[-1].extend(r for r in value.refs if isinstance(r, Mapping | Sequence))

    def enter(self) -> None:
        """Count one step and one more level; whoever enters a node gives the level back on leaving it."""
        self.steps += 1
        self.depth += 1
        if self.steps > MAX_STEPS:
            raise Stopped(f"analysis stopped: more than {MAX_STEPS:,} steps")
        if self.depth > MAX_DEPTH:
            raise Stopped(f"analysis stopped: nested deeper than {MAX_DEPTH}")

    def emit(
        self,
        kind: str,
        node: ast.AST,
        tags: frozenset[str] = frozenset(),
        *,
        params: frozenset[str] = frozenset(),
        detail: str = "",
        number: float = 0.0,
        caller: bool = False,
    ) -> None:
        if len(self.trace.events) >= MAX_EVENTS:
            raise Stopped(f"analysis stopped: more than {MAX_EVENTS:,} events")
        functions = tuple(frame.name for frame in self.frames)
        frame = self.frames[-2] if caller and len(self.frames) > 1 else self.frame
        module = frame.scope.module
        line = frame.line if caller else getattr(node, "lineno", 0)
        self.trace.events.append(
            Event(
                kind,
                len(self.trace.events),
                module.number,
                line,
                tags,
                tuple(self.loops),
                functions,
                tuple(dict.fromkeys(self.guards)),
                params,
                detail[:200],
                number,
            )
        )


class Operations(Protocol):
    """What the parts of a run do for one another; each is defined by the part that its group names."""

    # Statements

    def run_block(self, body: list[ast.stmt]) -> str: ...

    def run_statement(self, node: ast.stmt) -> str: ...

    def branches(self, bodies: list[list[ast.stmt]]) -> str: ...

    # Expressions

    def evaluate(self, node: ast.expr) -> Value: ...

    def named(self, name: str) -> Value: ...

    def truth(self, value: Value) -> bool | None: ...

    def binary(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value: ...

    # Containers

    def items_of(self, value: Value) -> tuple[list[Value] | None, Value]: ...

    def any_entry(self, table: Mapping) -> Value: ...

    def subscript(self, node: ast.Subscript) -> Value: ...

    def assign(self, target: ast.expr, value: Value, node: ast.AST) -> None: ...

    def set_attribute(self, holder: Value, name: str, value: Value) -> None: ...

    def augment(self, node: ast.AugAssign) -> None: ...

    def score(self, node: ast.AST, total: Value, value: Value) -> frozenset[str]: ...

    # Attributes

    def attribute(self, holder: Value, name: str, node: ast.AST | None) -> Value: ...

    def attribute_of(self, ref: object, holder: Value, name: str) -> Value | None: ...

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None: ...

    # Calls

    def call(
        self, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None
    ) -> Value: ...

    def call_expression(self, node: ast.Call) -> Value: ...

    def function_value(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, owner: Class | None = None
    ) -> Value: ...


class Machine(State, Operations):
    """Base of the parts of a run, each of which defines some of the operations; `run.Run` has them all."""
