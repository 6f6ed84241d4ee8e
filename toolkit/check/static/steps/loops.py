"""Loops of the abstract run.

A body is walked once with the state of its first iteration, so that a flow seen is one of the current item and not of
the history; it is walked a second time, with everything the body assigns unknown, when the first walk skipped a branch,
or when the items are parts of the realised token, so that what earlier parts leave behind is of that token.
"""

from __future__ import annotations

import ast

from toolkit.check.static.labels.flow import is_realised
from toolkit.check.static.labels.syntax import assigned_names, names_in
from toolkit.check.static.labels.values import (
    LOSS,
    REALISED,
    TOTAL,
    UNKNOWN,
    VAL,
    Instance,
    Mapping,
    Sequence,
    Value,
    data_tags,
    join,
)
from toolkit.check.static.state.machine import BREAK, NEXT, RETURN, Machine


class Loops(Machine):
    def run_for(self, node: ast.For | ast.AsyncFor) -> str:
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
        tags = data_tags(iterable)
        spells = is_realised(tags) and LOSS not in tags  # the realised token
        status = self._loop(node, node.target, first, later, twice=spells)
        if spells:
            self._leave_token(node, tags)
        return status

    def _leave_token(self, node: ast.For | ast.AsyncFor, tags: frozenset[str]) -> None:
        """What a walk over the bytes of the realised token sets anew for each byte tells about the token afterwards.

        Inside, the bytes before the current one are context; for the token as a whole they are not.
        """
        names = self.frame.scope.names
        for name in assigned_names([s for s in node.body if isinstance(s, ast.Assign)]):
            value = names.get(name)
            if value is not None and VAL in value.tags and not value.refs:
                names[name] = Value(UNKNOWN, (value.tags - {TOTAL}) | (tags & REALISED))

    def run_while(self, node: ast.While) -> str:
        test = self.evaluate(node.test)
        if self.truth(test) is False:
            return self.run_block(node.orelse)
        return self._loop(node)

    def _loop(
        self,
        node: ast.For | ast.AsyncFor | ast.While,
        target: ast.expr | None = None,
        first: Value | None = None,  # what the target is in the first iteration, and after it
        later: Value | None = None,
        *,
        twice: bool = False,
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
                    status = self.run_block(node.body)
                finally:
                    self.loops.pop()
                self._join_exits()
                changed = assigned_names(node.body) | (names_in(target) if target is not None else set())
                stale = self.read[-1] & self.written[-1]
                if iteration == 1 or status == RETURN or not (twice or changed & self.pruned[-1] or stale):
                    break
                self._forget(changed)
                self._forget_attributes(stale)
                for container in self.touched[-1]:
                    _age(container)
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
        if node.orelse and status != BREAK:
            leaves = any(isinstance(n, ast.Break) for s in node.body for n in ast.walk(s))
            return self.branches([node.orelse, []]) if leaves else self.run_block(node.orelse)
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


def _age(container: Mapping | Sequence) -> None:
    """What a loop has stored is of earlier items when its next item comes."""

    def older(value: Value) -> Value:
        return Value(value.const, value.tags - REALISED, value.refs)

    container.rest = older(container.rest)
    if isinstance(container, Mapping):
        container.entries = {key: older(value) for key, value in container.entries.items()}
    elif container.items is not None:
        container.items = [older(value) for value in container.items]
