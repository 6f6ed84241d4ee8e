"""Branches of the abstract run: one arm where the condition is known, else all of them, joined."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolkit.check.static.labels.syntax import assigned_names, names_in
from toolkit.check.static.labels.values import CONTROL, MASK, TARGET, UNKNOWN, Value, data_tags, join, places, sticky
from toolkit.check.static.state import marks
from toolkit.check.static.state.machine import BREAK, CONTINUE, NEXT, RETURN, Machine


class Branches(Machine):
    def run_if(self, node: ast.If) -> str:
        test = self.evaluate(node.test)
        known = self.truth(test)
        if known is not None:
            return self._run_taken(node, test, known)
        by_target = bool(test.tags & {TARGET, CONTROL})
        old = dict(self.frame.scope.names) if by_target else {}
        status = self.branches([node.body, node.orelse])
        if marks.is_scored(test.tags):
            self._keep_best(node)
        if places(test.tags, "better"):
            self._keep_better(node)
        elif by_target:
            self._implicit(node, test, old)
        return status

    def _run_taken(self, node: ast.If, test: Value, known: bool) -> str:
        """The arm that a known condition opens, unless the log shows that the run took the other one."""
        for seen in self.pruned:
            seen |= names_in(node.test)
        if known and node.body and isinstance(node.body[-1], ast.Raise):
            known = False  # the run was made, so this check passed
        taken, other = (node.body, node.orelse) if known else (node.orelse, node.body)
        settings = [tag[4:] for tag in sorted(test.tags) if tag.startswith("cfg:")]
        if self.printed.shows(other) and not self.printed.shows(taken):
            self.contradict(test)
            taken, settings = other, ["printed in the log (log)"]
        self.guards.extend(settings)
        try:
            return self.run_block(taken)
        finally:
            del self.guards[len(self.guards) - len(settings) :]

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

    def _keep_best(self, node: ast.If) -> None:
        """`if new < best: best = new` on sums of losses: a label for every loss that the arm keeps."""
        if not any(self._is_scored_best(test, statement) for test in ast.walk(node.test) for statement in node.body):
            return
        label = sticky("best", self.frame.scope.module, node.lineno)
        for target in _changed(node.body):
            while True:
                if marks.is_scored((value := self.evaluate(target)).tags):
                    value.add({label})
                if not isinstance(target, ast.Subscript):
                    break
                target = target.value

    def _is_scored_best(self, test: ast.AST, statement: ast.stmt) -> bool:
        """Is a loss compared with a name or entry that takes its value?"""
        if not isinstance(test, ast.Compare) or not isinstance(statement, ast.Assign):
            return False
        compared = {ast.unparse(operand) for operand in (test.left, *test.comparators)}
        kept = ast.unparse(statement.value) in compared and any(ast.unparse(t) in compared for t in statement.targets)
        return kept and marks.is_scored(self.evaluate(statement.value).tags)

    def _implicit(self, node: ast.If, test: Value, old: dict[str, Value]) -> None:
        """A name assigned in both arms is chosen by the test; in one arm only, perhaps."""
        both = assigned_names(node.body) & assigned_names(node.orelse) if node.orelse else set()
        names = self.frame.scope.names
        for name in sorted(assigned_names(node.body) | assigned_names(node.orelse)):
            value = names.get(name)
            if value is not None and value is not old.get(name):
                extra = data_tags(test) - {MASK} if name in both else frozenset({CONTROL})
                names[name] = Value(UNKNOWN, value.tags | extra, value.refs)

    def branches(self, bodies: list[list[ast.stmt]]) -> str:
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
        left = list(zip(ends, statuses, strict=True))
        if self.exits:
            self.exits[-1].extend(end for end, status in left if status in (BREAK, CONTINUE))
        going = [end for end, status in left if status == NEXT]
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
        return next(status for status in (NEXT, BREAK, CONTINUE, RETURN) if status in statuses)

    def run_try(self, node: ast.Try | ast.TryStar) -> str:
        status = self.run_block(node.body)
        if status == NEXT:
            status = self.run_block(node.orelse)
        if node.handlers:
            handled = self.branches([[], *[h.body for h in node.handlers]])
            status = status if status == NEXT else NEXT if handled == NEXT and not self._certain(node.body) else status
        final = self.run_block(node.finalbody)
        return final if final != NEXT else status

    @staticmethod
    def _certain(body: list[ast.stmt]) -> bool:
        return all(isinstance(s, ast.Return | ast.Break | ast.Continue | ast.Pass) for s in body)


def _changed(body: list[ast.stmt]) -> Iterator[ast.expr]:
    """What statements assign to or change in place, `best.copy_(new)` included."""
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Assign):
            yield from node.targets
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            yield node.func.value
