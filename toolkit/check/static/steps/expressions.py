"""Expressions of the abstract run: constants folded, labels joined."""

from __future__ import annotations

import ast

from toolkit.check.static.labels import constants
from toolkit.check.static.labels.flow import combine, mark_mix
from toolkit.check.static.labels.syntax import names_in
from toolkit.check.static.labels.values import (
    CLOCK,
    MASK,
    NO_TAGS,
    UNKNOWN,
    Bound,
    Class,
    External,
    Function,
    Mapping,
    Module,
    Scope,
    Sequence,
    Value,
    data_tags,
    join,
    sequence,
)
from toolkit.check.static.state import marks
from toolkit.check.static.steps.comparisons import Comparisons


class Expressions(Comparisons):
    def evaluate(self, node: ast.expr) -> Value:
        self.enter()
        try:
            return self._expression(node)
        finally:
            self.depth -= 1

    def _expression(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant():
                tags = constants.text_tags(node.value) if isinstance(node.value, str) else NO_TAGS
                return Value(node.value if node.value is not ... else UNKNOWN, tags)
            case ast.Name():
                return self.named(node.id)
            case ast.Attribute():
                return self.attribute(self.evaluate(node.value), node.attr, node)
            case ast.Subscript():
                return self.subscript(node)
            case ast.Call():
                return self.call_expression(node)
            case ast.BinOp():
                return self.binary(node, node.op, self.evaluate(node.left), self.evaluate(node.right))
            case ast.UnaryOp():
                value = self.evaluate(node.operand)
                if isinstance(node.op, ast.Not):
                    known = self.truth(value)
                    return Value(UNKNOWN if known is None else not known, value.tags)
                return Value(constants.fold_unary(node.op, value.const) if value.known else UNKNOWN, value.tags)
            case ast.BoolOp():
                return self._bool(node)
            case ast.Compare():
                return self.compare(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.Tuple() | ast.List() | ast.Set():
                return self._display(node)
            case ast.Dict():
                return self._dict(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.Lambda():
                return self.function_value(node)
            case ast.JoinedStr():
                parts = [self.evaluate(v.value if isinstance(v, ast.FormattedValue) else v) for v in node.values]
                plain = all(not isinstance(v, ast.FormattedValue) or v.format_spec is None for v in node.values)
                if plain and all(p.known and isinstance(p.const, str | int) for p in parts):
                    text = "".join(str(p.const) for p in parts)[: constants.MAX_TEXT]
                    return Value(text, data_tags(*parts) | constants.text_tags(text))
                return Value(UNKNOWN, data_tags(*parts) | marks.figure(node))
            case ast.NamedExpr():
                value = self.evaluate(node.value)
                self.assign(node.target, value, node)
                return value
            case ast.Starred() | ast.Await() | ast.FormattedValue():
                return self.evaluate(node.value)
            case ast.Yield():
                value = self.evaluate(node.value) if node.value else Value(None)
                self.frame.yields.append(value)
                return Value()
            case ast.YieldFrom():
                self.frame.yields.append(self.items_of(self.evaluate(node.value))[1])
                return Value()
            case ast.Slice():
                return Value(UNKNOWN, data_tags(*[self.evaluate(p) for p in (node.lower, node.upper, node.step) if p]))
        return Value()

    def named(self, name: str) -> Value:
        found = self.frame.scope.find(name)
        if found is None:
            return Value("__main__") if name == "__name__" else Value(refs=(External(name),))
        if found.known:
            return Value(found.const, found.tags, found.refs)
        return found

    def truth(self, value: Value) -> bool | None:
        if value.known:
            named = (t[4:].partition("=")[0] for t in value.tags if t.startswith("cfg:")) if self.contradicted else ()
            return None if self.contradicted.intersection(named) else bool(value.const)
        if value.refs and all(isinstance(r, Function | Class | Module | Bound) for r in value.refs):
            return True
        return None

    def binary(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        if a.known and b.known:
            const = constants.fold_binary(op, a.const, b.const)
            if const is not UNKNOWN:
                tags = a.tags | b.tags
                return Value(const, tags | constants.text_tags(const) if isinstance(const, str) else tags)
        sa, sb = a.ref(Sequence), b.ref(Sequence)
        if isinstance(op, ast.Add) and isinstance(sa, Sequence) and isinstance(sb, Sequence):
            if sa.items is not None and sb.items is not None and len(sa.items) + len(sb.items) < 64:
                return sequence(sa.items + sb.items)
            return sequence([sa.rest, sb.rest], exact=False)
        if isinstance(op, ast.Mult) and (sa or sb):
            return a if sa else b
        result = Value(UNKNOWN, combine(op, a, b, self.frame.scope.module, getattr(node, "lineno", 0)))
        if isinstance(node, ast.BinOp):
            # Later walks of a loop see what earlier items left behind; a weight may depend on those.
            place = (self.frame.scope.module.number, node.lineno, node.col_offset)
            first = all(iteration == 0 for _, iteration in self.loops)
            if first or place not in self.mixed:
                result.add(mark_mix(node, self.evaluate_again, self.frame.scope.module))
            self.mixed.add(place)
        if isinstance(op, ast.BitOr) and (a.ref(Mapping) or b.ref(Mapping)):
            result.refs = a.refs + b.refs
        return result

    def evaluate_again(self, node: ast.expr) -> frozenset[str]:
        """Labels of names inside an expression that was evaluated before; has no effects."""
        tags: frozenset[str] = NO_TAGS
        for child in ast.walk(node):
            if isinstance(child, ast.Name):
                found = self.frame.scope.find(child.id)
                tags |= found.tags if found else NO_TAGS
        return tags

    def _bool(self, node: ast.BoolOp) -> Value:
        stop = isinstance(node.op, ast.Or)
        values: list[Value] = []
        for operand in node.values:
            value = self.evaluate(operand)
            values.append(value)
            known = self.truth(value)
            if known is stop:
                if len(values) == 1 or all(self.truth(v) is not None for v in values):
                    return Value(
                        value.const if value.known else known, frozenset().union(*(v.tags for v in values)), value.refs
                    )
                return Value(known, data_tags(*values))  # decided whatever the others are
        if all(self.truth(v) is not None for v in values):
            return Value(
                values[-1].const if values[-1].known else not stop,
                frozenset().union(*(v.tags for v in values)),
                values[-1].refs,
            )
        unknown = [v for v in values if self.truth(v) is None]
        return Value(UNKNOWN, frozenset().union(*(v.tags for v in values)), unknown[-1].refs)

    def _choice(self, node: ast.IfExp) -> Value:
        test = self.evaluate(node.test)
        known = self.truth(test)
        if known is not None:
            for seen in self.pruned:
                seen |= names_in(node.test)
            taken, other = (node.body, node.orelse) if known else (node.orelse, node.body)
            if self.printed.shows_arm(other) and not self.printed.shows_arm(taken):
                self.contradict(test)
                taken = other
            value = self.evaluate(taken)
            return Value(value.const, value.tags | test.tags, value.refs) if value.known else value
        self.uncertain += 1
        try:
            a, b = self.evaluate(node.body), self.evaluate(node.orelse)
        finally:
            self.uncertain -= 1
        joined = join(a, b)
        return Value(joined.const, joined.tags | (data_tags(test) - {MASK}), joined.refs)

    def _display(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        items: list[Value] = []
        exact = not isinstance(node, ast.Set)
        for element in node.elts:
            value = self.evaluate(element)
            if isinstance(element, ast.Starred):
                inner, rest = self.items_of(value)
                exact = exact and inner is not None
                items.extend(inner if inner is not None else [rest])
            else:
                items.append(value)
        return sequence(items, exact=exact and len(items) <= 256)

    def _dict(self, node: ast.Dict) -> Value:
        entries: dict[object, Value] = {}
        rest, exact = Value(), True
        for key, element in zip(node.keys, node.values, strict=True):
            value = self.evaluate(element)
            if key is None:
                other = value.ref(Mapping)
                if isinstance(other, Mapping):
                    entries.update(other.entries)
                exact = False
                rest = join(rest, value)
                continue
            name = self.evaluate(key)
            if name.known and not isinstance(name.const, list | dict):
                entries[name.const] = value
            else:
                rest, exact = join(rest, value), False
        return Value(UNKNOWN, NO_TAGS, (Mapping(entries, rest, exact and bool(entries)), marks.new_array(self, node)))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        scope = self.frame.scope
        self.frame.scope = Scope({}, scope, scope.module)
        tags: frozenset[str] = NO_TAGS
        try:
            for generator in node.generators:
                iterable = self.evaluate(generator.iter)
                items, rest = self.items_of(iterable)
                value = join(rest, Value()) if not items or len(items) != 1 else items[0]
                self.assign(generator.target, value, node)
                for condition in generator.ifs:
                    tags |= data_tags(self.evaluate(condition)) & {CLOCK}
            if isinstance(node, ast.DictComp):
                key = self.evaluate(node.key)
                value = self.evaluate(node.value)
                value = Value(UNKNOWN, value.tags | data_tags(key), value.refs)
                return Value(UNKNOWN, tags, (Mapping({}, value, False), marks.new_array(self, node)))
            value = self.evaluate(node.elt)
        finally:
            self.frame.scope = scope
        rest = Value(UNKNOWN, data_tags(value) | tags, value.refs)
        return Value(UNKNOWN, rest.tags, (Sequence(None, rest),))
