"""Containers, subscripts and stores of the abstract run."""

from __future__ import annotations

import ast

from toolkit.check.static.labels.events import SCORE
from toolkit.check.static.labels.flow import index_tokens, keeps_best, stored_tags
from toolkit.check.static.labels.values import (
    ITEM,
    LOSS,
    NO_TAGS,
    PATH,
    ROLES,
    SUMMED,
    UNKNOWN,
    VAL,
    Array,
    Bound,
    Class,
    External,
    Instance,
    Mapping,
    Module,
    Sequence,
    Value,
    data_tags,
    join,
    sequence,
    split_of,
    sticky,
)
from toolkit.check.static.library import library
from toolkit.check.static.state import marks
from toolkit.check.static.state.machine import Machine


class Containers(Machine):
    def items_of(self, value: Value) -> tuple[list[Value] | None, Value]:
        """(items if their number is known, what any item may be)."""
        if isinstance(value.const, tuple | str | bytes):
            return [Value(c, value.tags) for c in value.const[:256]], Value(UNKNOWN, data_tags(value))
        row = value.ref(Sequence)
        if isinstance(row, Sequence):
            return (row.items if len(value.refs) == 1 else None), row.rest
        table = value.ref(Mapping)
        if isinstance(table, Mapping):
            keys = [Value(k) for k in table.entries]
            return (keys if table.exact else None), Value(UNKNOWN, data_tags(value))
        instance = value.ref(Instance)
        if isinstance(instance, Instance) and (method := instance.cls.find("__iter__")):
            result = self.call(Value(refs=(Bound(method[0], [value]),)), [], {}, None)
            if result.ref(Sequence):
                return None, self.items_of(result)[1]
            return None, Value(UNKNOWN, data_tags(value, result))
        tags = data_tags(value)
        return None, Value(UNKNOWN, tags | {ITEM} if VAL in tags and not tags & {*ROLES, PATH} else tags)

    def subscript(self, node: ast.Subscript) -> Value:
        holder = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(node, holder)
        key = self.evaluate(node.slice)
        table = holder.ref(Mapping)
        row = holder.ref(Sequence)
        instance = holder.ref(Instance)
        if (
            isinstance(holder.const, tuple | str)
            and isinstance(key.const, int)
            and -len(holder.const) <= key.const < len(holder.const)
        ):
            return Value(holder.const[key.const], holder.tags)
        if isinstance(table, Mapping):
            if key.known and key.const in table.entries:
                return table.entries[key.const]
            if table.splits and (split := split_of(key)):
                return table.splits.get(split, table.rest)
            return marks.looked_up(self, self.any_entry(table), holder, key, node)
        if isinstance(row, Sequence) and len(holder.refs) == 1:
            if row.items is not None and isinstance(key.const, int) and -len(row.items) <= key.const < len(row.items):
                return row.items[key.const]
            if not row.rest.refs:
                return marks.looked_up(self, Value(UNKNOWN, data_tags(row.rest)), holder, key, node)
            return row.rest
        if isinstance(instance, Instance) and (method := instance.cls.find("__getitem__")):
            return self.call(Value(refs=(Bound(method[0], [holder]),)), [key], {}, node)
        environ = next((r for r in holder.refs if isinstance(r, External) and r.name.endswith("environ")), None)
        if environ is not None and isinstance(key.const, str):
            return library.environment(self, key.const, Value(UNKNOWN))
        return self._index(node, holder, key)

    def any_entry(self, table: Mapping) -> Value:
        value = table.rest
        for entry in [*list(table.entries.values())[:8], *table.splits.values()]:
            value = join(value, entry)
        return value

    def _index(self, node: ast.Subscript, holder: Value, key: Value) -> Value:
        """An element or gather out of a tensor."""
        tags = index_tokens(holder.tags, node.slice)
        result = Value(UNKNOWN, tags)
        return marks.looked_up(self, result, holder, key, node)

    def _slice(self, node: ast.Subscript, holder: Value) -> Value:
        assert isinstance(node.slice, ast.Slice)
        parts = (node.slice.lower, node.slice.upper, node.slice.step)
        bounds = [self.evaluate(p) if p else Value(None) for p in parts]
        fixed = [b.const for b in bounds if b.const is None or isinstance(b.const, int)]
        row = holder.ref(Sequence)
        exact = len(fixed) == len(bounds) and fixed[2] != 0
        if isinstance(holder.const, str | tuple | bytes):
            return Value(holder.const[slice(*fixed)] if exact else UNKNOWN, holder.tags)
        if isinstance(row, Sequence):
            if row.items is not None and exact:
                return sequence(row.items[slice(*fixed)])
            rest = Value(UNKNOWN, index_tokens(data_tags(holder, row.rest), node.slice), row.rest.refs)
            return Value(UNKNOWN, rest.tags, (Sequence(None, rest),))
        tags = index_tokens(holder.tags, node.slice)
        return Value(UNKNOWN, self._cut(node, tags))

    def _cut(self, node: ast.AST, tags: frozenset[str]) -> frozenset[str]:
        """Give tokens the identity of a slice in one iteration; parts taken of it in the same loop keep it."""
        if VAL not in tags or LOSS in tags:
            return tags
        loops = ".".join(f"{n}-{i}" for n, i in self.loops[-4:])
        old = {t for t in tags if t.startswith("cut:")}
        if loops and any(loops.startswith(t.partition("/")[2]) and not t.endswith("/") for t in old):
            return tags
        place = f"{self.frame.scope.module.number}:{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"
        label = f"cut:{place}/{loops}"
        return (tags - old) | {label}

    def assign(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        match target:
            case ast.Name():
                self.frame.scope.owner(target.id).names[target.id] = value
            case ast.Tuple() | ast.List():
                items, rest = self.items_of(value)
                starred = any(isinstance(e, ast.Starred) for e in target.elts)
                for position, element in enumerate(target.elts):
                    if items is not None and len(items) == len(target.elts) and not starred:
                        self.assign(element, items[position], node)
                    elif isinstance(element, ast.Starred):
                        self.assign(element.value, Value(UNKNOWN, rest.tags, (Sequence(None, rest),)), node)
                    else:
                        self.assign(element, Value(UNKNOWN, rest.tags, rest.refs), node)
            case ast.Attribute():
                self.set_attribute(self.evaluate(target.value), target.attr, value)
            case ast.Subscript():
                kept = keeps_best(target, node, value, self.frame.scope.module)
                self._store(target, Value(value.const, value.tags | kept, value.refs) if kept else value)
            case ast.Starred():
                self.assign(target.value, value, node)

    def set_attribute(self, holder: Value, name: str, value: Value) -> None:
        for ref in holder.refs:
            names = ref.attributes if isinstance(ref, Instance) else ref.names if isinstance(ref, Class) else None
            if names is None and isinstance(ref, Module):
                names = ref.scope.names
            if names is not None:
                old = names.get(name)
                self.writes += 1
                if (
                    isinstance(ref, Instance)
                    and self.written
                    and not (old and value.known and old.const == value.const)
                ):
                    self.written[-1].add((ref, name))
                names[name] = (
                    join(old, value) if old is not None and (self.uncertain or len(holder.refs) > 1) else value
                )
        if not holder.refs:
            holder.add(data_tags(value))

    def _store(self, target: ast.Subscript, value: Value) -> None:
        holder = self.evaluate(target.value)
        key = self.evaluate(target.slice)
        tags = stored_tags(value, holder, key, target.slice)
        environ = any(isinstance(r, External) and r.name.endswith("environ") for r in holder.refs)
        if environ:
            if isinstance(key.const, str) and isinstance(value.const, str):
                self.environment[key.const] = Value(
                    value.const, frozenset({f"cfg:{key.const}={value.const[:60]} (code)"})
                )
            return
        kept = marks.keep_loss(self, target, value, key)
        tags |= kept
        if not value.known:
            marks.counted(self, holder, key, target)
        self.touch(holder)
        table, row = holder.ref(Mapping), holder.ref(Sequence)
        if isinstance(table, Mapping):
            if split := split_of(key):
                table.exact = False
                old = table.splits.get(split)
                table.splits[split] = value if old is None else join(old, value)
            elif key.known and not isinstance(key.const, list | dict):
                old = table.entries.get(key.const)
                table.entries[key.const] = join(old, value) if old is not None and self.uncertain else value
            else:
                table.exact = False
                table.rest = join(table.rest, Value(UNKNOWN, tags, value.refs))
            return
        if isinstance(row, Sequence):
            if (
                row.items is not None
                and isinstance(key.const, int)
                and -len(row.items) <= key.const < len(row.items)
                and not self.uncertain
            ):
                row.items[key.const] = value
            else:
                row.items = None
            row.rest = join(row.rest, Value(UNKNOWN, tags, value.refs))
        instance = holder.ref(Instance)
        if isinstance(instance, Instance):
            if method := instance.cls.find("__setitem__"):
                self.call(Value(refs=(Bound(method[0], [holder]),)), [key, value], {}, target)
            return
        base: ast.expr = target
        while isinstance(
            base, ast.Subscript
        ):  # a slice is a view: what is stored into it is seen in what it was taken from
            base = base.value
            self.evaluate(base).add(tags)

    def augment(self, node: ast.AugAssign) -> None:
        value = self.evaluate(node.value)
        if isinstance(node.target, ast.Name):
            current = self.named(node.target.id)
        elif isinstance(node.target, ast.Subscript):
            # `table[key] += 1` counts; it does not look anything up.
            if not isinstance(node.op, ast.Add | ast.Sub):
                value = self.binary(node, node.op, self.evaluate(node.target), value)
            label = NO_TAGS
            if isinstance(node.op, ast.Add):
                label = self.score(node, self.evaluate(node.target.value), value) - {SUMMED}
            self._store(node.target, Value(UNKNOWN, value.tags | label))
            return
        else:
            current = self.evaluate(node.target)
        result = self.binary(node, node.op, current, value)
        scored = isinstance(node.op, ast.Add | ast.Sub) and self.score(node, result, value)
        if current.known or result.known or (current.refs and not current.ref(Array)):
            self.assign(node.target, result, node)
        else:
            current.add(result.tags)
        if scored:
            result.add(scored)
            current.add(scored)

    def score(self, node: ast.AST, total: Value, value: Value) -> frozenset[str]:
        """Note that a loss on validation tokens enters a sum; the label ties the sum to what is printed."""
        if not marks.is_scored(value.tags):
            return NO_TAGS
        label = frozenset({sticky("sum", self.frame.scope.module, getattr(node, "lineno", 0)), SUMMED})
        self.emit(SCORE, node, value.tags | label)
        total.add(value.tags | label)
        return label
