"""An abstract run of a script from its entry, under its effective settings: nothing of it is executed.

Branches whose condition folds to a constant are followed one way, others both ways. Calls are followed into the
program's functions with their actual arguments. A loop body is walked once with the state of its first iteration, so
that a flow seen is one of the current item and not of the history; it is walked a second time, with everything the body
assigns unknown, when the first walk skipped a branch. What matters to the rules is recorded as events in program order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from toolkit.check.static.events import Event, Trace
from toolkit.check.static.native import Native
from toolkit.check.static.printed import Printed
from toolkit.check.static.settings import Settings
from toolkit.check.static.values import (
    CONTROL,
    MASK,
    MAX_REFS,
    REALISED,
    TARGET,
    UNKNOWN,
    Class,
    External,
    Instance,
    Mapping,
    Module,
    Scope,
    Sequence,
    Value,
    data_tags,
    join,
    places,
    sticky,
)

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
    """What a run carries along; expressions and statements build on it."""

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

    def touch(self, value: Value) -> None:
        """Note a store into a container while a loop is walked."""
        if self.touched:
            self.touched[-1].extend(r for r in value.refs if isinstance(r, Mapping | Sequence))

    def tick(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Stopped(f"analysis stopped: more than {MAX_STEPS:,} steps")

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


def assigned_names(nodes: list[ast.stmt]) -> set[str]:
    """Names bound anywhere below, nested functions excepted."""
    found: set[str] = set()
    todo: list[ast.AST] = list(nodes)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        todo.extend(ast.iter_child_nodes(node))
    return found


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


class Statements(State):
    """Statements. What they and the library ask of the classes built on this one is declared here."""

    def evaluate(self, node: ast.expr) -> Value:
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        raise NotImplementedError

    def augment(self, node: ast.AugAssign) -> None:
        raise NotImplementedError

    def binary(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        raise NotImplementedError

    def named(self, name: str) -> Value:
        raise NotImplementedError

    def attribute(self, holder: Value, name: str, node: ast.AST | None) -> Value:
        raise NotImplementedError

    def attribute_of(self, ref: object, holder: Value, name: str) -> Value | None:
        raise NotImplementedError

    def set_attribute(self, holder: Value, name: str, value: Value) -> None:
        raise NotImplementedError

    def any_entry(self, table: Mapping) -> Value:
        raise NotImplementedError

    def score(self, node: ast.AST, total: Value, value: Value) -> frozenset[str]:
        raise NotImplementedError

    def call(self, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None) -> Value:
        raise NotImplementedError

    def items_of(self, value: Value) -> tuple[list[Value] | None, Value]:
        raise NotImplementedError

    def function_value(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, owner: Class | None = None
    ) -> Value:
        raise NotImplementedError

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        raise NotImplementedError

    def truth(self, value: Value) -> bool | None:
        raise NotImplementedError

    def run_block(self, body: list[ast.stmt]) -> str:
        for statement in body:
            status = self.run_statement(statement)
            if status != NEXT:
                return status
        return NEXT

    def run_statement(self, node: ast.stmt) -> str:
        self.tick()
        self.trace.reached.add((self.frame.scope.module.number, node.lineno))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Stopped(f"analysis stopped: nested deeper than {MAX_DEPTH}")
        if self.guards:
            self.trace.guards.setdefault(
                (self.frame.scope.module.number, node.lineno), tuple(dict.fromkeys(self.guards))
            )
        try:
            return self._statement(node)
        finally:
            self.depth -= 1

    def _statement(self, node: ast.stmt) -> str:
        match node:
            case ast.Expr():
                self.evaluate(node.value)
            case ast.Assign():
                value = self.evaluate(node.value)
                for target in node.targets:
                    self.assign(target, value, node)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.evaluate(node.value), node)
            case ast.AugAssign():
                self.augment(node)
            case ast.If():
                return self._if(node)
            case ast.For() | ast.AsyncFor():
                return self._for(node)
            case ast.While():
                return self._while(node)
            case ast.Return():
                self.frame.returns.append(self.evaluate(node.value) if node.value else Value(None))
                return RETURN
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.frame.scope.names[node.name] = self.function_value(node)
            case ast.ClassDef():
                self._class(node)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.evaluate(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, value, node)
                return self.run_block(node.body)
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case ast.Import() | ast.ImportFrom():
                self.import_names(node)
            case ast.Global():
                self.frame.scope.globals_ |= set(node.names)
            case ast.Nonlocal():
                self.frame.scope.nonlocals |= set(node.names)
            case ast.Raise():
                return RETURN
            case ast.Break():
                return BREAK
            case ast.Continue():
                return CONTINUE
            case ast.Match():
                return self._branches([case.body for case in node.cases], self.evaluate(node.subject), NEXT)
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.frame.scope.names.pop(target.id, None)
            case _:
                pass
        return NEXT

    def _if(self, node: ast.If) -> str:
        test = self.evaluate(node.test)
        known = self.truth(test)
        if known is not None:
            for seen in self.pruned:
                seen |= names_in(node.test)
            if known and node.body and isinstance(node.body[-1], ast.Raise):
                known = False  # the run was made, so this check passed
            taken, other = (node.body, node.orelse) if known else (node.orelse, node.body)
            settings = [tag[4:] for tag in sorted(test.tags) if tag.startswith("cfg:")]
            if self.printed.shows(other) and not self.printed.shows(taken):
                self.contradicted |= {setting.partition("=")[0] for setting in settings}
                taken, settings = other, ["printed in the log (log)"]
            self.guards.extend(settings)
            try:
                return self.run_block(taken)
            finally:
                del self.guards[len(self.guards) - len(settings) :]
        before = self.frame.scope.names
        if places(test.tags, "better"):
            status = self._branches([node.body, node.orelse], test, NEXT)
            self._keep_better(node)
            return status
        if TARGET in test.tags or CONTROL in test.tags:
            old = dict(before)
            status = self._branches([node.body, node.orelse], test, NEXT)
            self._implicit(node, test, old)
            return status
        return self._branches([node.body, node.orelse], test, NEXT)

    def _keep_better(self, node: ast.If) -> None:
        """`if new < old: kept = new` on losses of a token."""
        tests = [part for part in ast.walk(node.test) if isinstance(part, ast.Compare)]
        compared = {ast.dump(operand) for part in tests for operand in (part.left, *part.comparators)}
        for statement in ast.walk(ast.Module(node.body, [])):
            if isinstance(statement, ast.Assign) and ast.dump(statement.value) in compared:
                for target in statement.targets:
                    holder = target.value if isinstance(target, ast.Subscript) else target
                    label = sticky("oracle", self.frame.scope.module, statement.lineno)
                    self.evaluate(holder).add({label})

    def _implicit(self, node: ast.If, test: Value, old: dict[str, Value]) -> None:
        """A name assigned in both arms is chosen by the test; in one arm only, perhaps."""
        both = assigned_names(node.body) & assigned_names(node.orelse) if node.orelse else set()
        names = self.frame.scope.names
        for name in sorted(assigned_names(node.body) | assigned_names(node.orelse)):
            value = names.get(name)
            if value is not None and value is not old.get(name):
                extra = data_tags(test) - {MASK} if name in both else frozenset({CONTROL})
                names[name] = Value(UNKNOWN, value.tags | extra, value.refs)

    def _branches(self, bodies: list[list[ast.stmt]], test: Value, default: str) -> str:
        """Walk each arm from the same local names and join what they leave."""
        scope = self.frame.scope
        start = scope.names
        ends: list[dict[str, Value]] = []
        statuses: list[str] = []
        self.uncertain += 1
        try:
            for body in bodies:
                scope.names = dict(start)
                statuses.append(self.run_block(body))
                ends.append(scope.names)
        finally:
            self.uncertain -= 1
            scope.names = start
        if self.exits:
            self.exits[-1].extend(
                end for end, status in zip(ends, statuses, strict=True) if status in (BREAK, CONTINUE)
            )
        going = [end for end, status in zip(ends, statuses, strict=True) if status == NEXT]
        kept = going or ends
        merged: dict[str, Value] = {}
        for name in dict.fromkeys(n for end in kept for n in end):
            values = [end[name] for end in kept if name in end]
            value = values[0]
            for other in values[1:]:
                value = join(value, other)
            merged[name] = value
        start.clear()
        start.update(merged)
        if going:
            return NEXT
        return (
            statuses[0]
            if len(set(statuses)) == 1
            else BREAK
            if BREAK in statuses
            else CONTINUE
            if CONTINUE in statuses
            else RETURN
        )

    def _for(self, node: ast.For | ast.AsyncFor) -> str:
        iterable = self.evaluate(node.iter)
        items, rest = self.items_of(iterable)
        if items is not None and not items and iterable.known:
            return self.run_block(node.orelse)
        first = items[0] if items else rest
        later = rest
        if items:
            for item in items[1:6]:
                later = join(later, item)
            later = join(later, first)
        return self._loop(node.body, node.orelse, node, node.target, first, later)

    def _while(self, node: ast.While) -> str:
        test = self.evaluate(node.test)
        if self.truth(test) is False:
            return self.run_block(node.orelse)
        return self._loop(node.body, node.orelse, node, None, None, None)

    def _loop(
        self,
        body: list[ast.stmt],
        orelse: list[ast.stmt],
        node: ast.stmt,
        target: ast.expr | None,
        first: Value | None,
        later: Value | None,
    ) -> str:
        self.loop_count += 1
        number = self.loop_count
        self.trace.loop_names[number] = ast.unparse(target)[:60] if target is not None else "while"
        self.pruned.append(set())
        self.exits.append([])
        self.touched.append([])
        self.read.append(set())
        self.written.append(set())
        status = NEXT
        try:
            for iteration, item in enumerate((first, later)):
                self.loops.append((number, iteration))
                try:
                    if target is not None and item is not None:
                        self.assign(target, item, node)
                    status = self.run_block(body)
                finally:
                    self.loops.pop()
                self._join_exits()
                changed = assigned_names(body) | (names_in(target) if target is not None else set())
                stale = self.read[-1] & self.written[-1]
                if iteration == 1 or status == RETURN or not (changed & self.pruned[-1] or stale):
                    break
                self._forget(changed)
                self._forget_attributes(stale)
                for container in self.touched[-1]:
                    age(container)
        finally:
            self.pruned.pop()
            self.exits.pop()
            inner = self.touched.pop()
            if self.touched:
                self.touched[-1].extend(inner)
            for levels in (self.read, self.written):
                seen = levels.pop()
                if levels:
                    levels[-1] |= seen
        if status == RETURN and not self.uncertain and target is None:
            return RETURN
        if orelse and status != BREAK:
            leaves = any(isinstance(n, ast.Break) for s in body for n in ast.walk(s))
            return self._branches([orelse, []], Value(), NEXT) if leaves else self.run_block(orelse)
        return NEXT

    def _join_exits(self) -> None:
        names = self.frame.scope.names
        for end in self.exits[-1]:
            for name, value in end.items():
                names[name] = join(names[name], value) if name in names else value
        self.exits[-1].clear()

    def _forget(self, names: set[str]) -> None:
        """Constants no longer hold in a later iteration."""
        for name in sorted(names):
            scope = self.frame.scope.owner(name)
            value = scope.names.get(name)
            if value is not None and value.known:
                scope.names[name] = Value(UNKNOWN, value.tags, value.refs)

    def _forget_attributes(self, stale: set[tuple[Instance, str]]) -> None:
        for instance, name in stale:
            value = instance.attributes.get(name)
            if value is not None and value.known:
                instance.attributes[name] = Value(UNKNOWN, value.tags, value.refs)
        if stale:
            self.memo.clear()  # calls that used the old constants

    def _try(self, node: ast.Try | ast.TryStar) -> str:
        status = self.run_block(node.body)
        if status == NEXT:
            status = self.run_block(node.orelse)
        if node.handlers:
            handled = self._branches([[], *[h.body for h in node.handlers]], Value(), NEXT)
            status = status if status == NEXT else NEXT if handled == NEXT and not self._certain(node.body) else status
        final = self.run_block(node.finalbody)
        return final if final != NEXT else status

    @staticmethod
    def _certain(body: list[ast.stmt]) -> bool:
        return all(isinstance(s, ast.Return | ast.Break | ast.Continue | ast.Pass) for s in body)

    def _class(self, node: ast.ClassDef) -> None:
        outer = self.frame.scope
        bases = [self.evaluate(base) for base in node.bases]
        scope = Scope({}, outer, outer.module)
        fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        cls = Class(node.name, bases, scope.names, fields)
        self.frames.append(Frame(node.name, scope, cls))
        try:
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    scope.names[statement.name] = self.function_value(statement, cls)
                else:
                    self.run_statement(statement)
                    self._from_log(statement, scope)
        finally:
            self.frames.pop()
        # The scope's dictionary may have been replaced while branches were walked.
        cls.names = scope.names
        for decorator in node.decorator_list:
            self.evaluate(decorator)
        outer.names[node.name] = Value(refs=(cls,))

    def _from_log(self, statement: ast.stmt, scope: Scope) -> None:
        """An attribute of a settings class takes the value that the log printed for it."""
        if not self.settings.log or "environ" not in ast.dump(statement):
            return
        for name in assigned_names([statement]):
            found = self.settings.log.get(name.lower())
            if found is not None:
                scope.names[name] = Value(logged_constant(found), frozenset({f"cfg:{name}={found} (log)"}))


def age(container: Mapping | Sequence) -> None:
    """What a loop has stored is of earlier items when its next item comes."""

    def older(value: Value) -> Value:
        return Value(value.const, value.tags - REALISED, value.refs)

    container.rest = older(container.rest)
    if isinstance(container, Mapping):
        container.entries = {key: older(value) for key, value in container.entries.items()}
    elif container.items is not None:
        container.items = [older(value) for value in container.items]


def logged_constant(text: str) -> object:
    """A value as `print` shows it, back as a constant."""
    try:
        return ast.literal_eval(text[:200])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def sequence(items: list[Value], *, exact: bool = True) -> Value:
    """A list or tuple of known items."""
    rest = Value(UNKNOWN, data_tags(*items), tuple(dict.fromkeys(r for i in items for r in i.refs))[:MAX_REFS])
    return Value(UNKNOWN, rest.tags, (Sequence(items if exact else None, rest),))


__all__ = ["External", "Instance", "Mapping", "Statements", "Stopped", "sequence"]
