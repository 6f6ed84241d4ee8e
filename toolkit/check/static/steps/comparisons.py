"""Comparisons of the abstract run: their outcome, and what they tell about tokens, losses and the clock."""

from __future__ import annotations

import ast

from toolkit.check.static.labels import constants
from toolkit.check.static.labels.events import DEADLINE
from toolkit.check.static.labels.values import CLOCK, MASK, UNKNOWN, External, Mapping, Sequence, Value, sticky
from toolkit.check.static.state import marks
from toolkit.check.static.state.machine import Machine


class Comparisons(Machine):
    def compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        values = [left]
        verdicts: list[object] = []
        for op, operand in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(operand)
            values.append(right)
            verdicts.append(self._relation(op, left, right))
            self._deadline(node, left, right)
            left = right
        tags = frozenset().union(*(v.tags for v in values))
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            tags |= marks.match_tags(values[0], values[1], self.frame.scope.module, node.lineno)
        if all(marks.is_token_loss(v.tags) for v in values):
            tags |= {sticky("better", self.frame.scope.module, node.lineno)}
        if any(v is False for v in verdicts):
            return Value(False, tags)
        if UNKNOWN not in verdicts:
            return Value(True, tags)
        return Value(UNKNOWN, tags | {MASK})

    def _relation(self, op: ast.cmpop, a: Value, b: Value) -> object:
        if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
            for one, other in ((a, b), (b, a)):
                if one.known and one.const is None:
                    same: object = UNKNOWN
                    if other.known:
                        same = other.const is None
                    elif other.refs and not any(isinstance(r, External) for r in other.refs):
                        same = False
                    if same is UNKNOWN:
                        return UNKNOWN
                    return same if isinstance(op, ast.Is | ast.Eq) else not same
        if isinstance(op, ast.Is | ast.IsNot):
            if a.known and b.known and isinstance(a.const, bool) and isinstance(b.const, bool):
                return (a.const is b.const) == isinstance(op, ast.Is)
            return UNKNOWN
        if isinstance(op, ast.In | ast.NotIn) and a.known:
            if any(isinstance(r, External) and r.name.endswith("environ") for r in b.refs) and self.settings.lookup(
                str(a.const)
            ):
                return isinstance(op, ast.In)
            holder = b.ref(Mapping)
            if isinstance(holder, Mapping) and holder.exact and len(b.refs) == 1:
                return (a.const in holder.entries) == isinstance(op, ast.In)
            row = b.ref(Sequence)
            if isinstance(row, Sequence) and row.items is not None and all(i.known for i in row.items) and row.items:
                return any(i.const == a.const for i in row.items) == isinstance(op, ast.In)
        if a.known and b.known:
            return constants.fold_compare(op, a.const, b.const)
        return UNKNOWN

    def _deadline(self, node: ast.AST, a: Value, b: Value) -> None:
        for clock, limit in ((a, b), (b, a)):
            if (
                CLOCK in clock.tags
                and isinstance(limit.const, int | float)
                and not isinstance(limit.const, bool)
                and limit.const > 1
            ):
                settings = ", ".join(sorted(t[4:] for t in limit.tags if t.startswith("cfg:")))
                self.emit(DEADLINE, node, clock.tags, number=float(limit.const), detail=settings)
