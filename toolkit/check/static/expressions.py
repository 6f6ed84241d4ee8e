"""Expressions of the abstract run: constants, labels, containers, subscripts, and calls into the program."""

from __future__ import annotations

import ast

from toolkit.check.static import constants, library
from toolkit.check.static.events import DEADLINE, IMPORT, SCORE
from toolkit.check.static.flow import combine, index_tokens, keeps_best, mark_mix, stored_tags
from toolkit.check.static.machine import MAX_DEPTH, Frame, Statements, Stopped, sequence
from toolkit.check.static.values import (
    CLOCK,
    ITEM,
    LOSS,
    MASK,
    MAX_REFS,
    NO_TAGS,
    ROLES,
    UNKNOWN,
    VAL,
    Array,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Mapping,
    Module,
    Scope,
    Sequence,
    Super,
    Value,
    data_tags,
    join,
    sticky,
)

MAX_CALLS = 40  # nesting of followed calls
MAX_SAME = 2  # of the same function


class Expressions(Statements):
    def evaluate(self, node: ast.expr) -> Value:
        self.tick()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Stopped(f"analysis stopped: nested deeper than {MAX_DEPTH}")
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
                return self._name(node.id)
            case ast.Attribute():
                return self.attribute(self.evaluate(node.value), node.attr, node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp():
                return self._binary(node, node.op, self.evaluate(node.left), self.evaluate(node.right))
            case ast.UnaryOp():
                value = self.evaluate(node.operand)
                if isinstance(node.op, ast.Not):
                    known = self.truth(value)
                    return Value(UNKNOWN if known is None else not known, value.tags)
                return Value(constants.fold_unary(node.op, value.const) if value.known else UNKNOWN, value.tags)
            case ast.BoolOp():
                return self._bool(node)
            case ast.Compare():
                return self._compare(node)
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
                return Value(UNKNOWN, data_tags(*parts))
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

    def _name(self, name: str) -> Value:
        found = self.frame.scope.find(name)
        if found is None:
            return Value("__main__") if name == "__name__" else Value(refs=(External(name),))
        if found.known:
            return Value(found.const, found.tags, found.refs)
        return found

    def truth(self, value: Value) -> bool | None:
        if value.known:
            return bool(value.const)
        if value.refs and all(isinstance(r, Function | Class | Module | Bound) for r in value.refs):
            return True
        return None

    def _binary(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
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

    def _compare(self, node: ast.Compare) -> Value:
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
            tags |= library.match_tags(values[0], values[1], self.frame.scope.module, node.lineno)
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

    def _choice(self, node: ast.IfExp) -> Value:
        test = self.evaluate(node.test)
        known = self.truth(test)
        if known is not None:
            for seen in self.pruned:
                seen |= {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
            value = self.evaluate(node.body if known else node.orelse)
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
        return Value(UNKNOWN, NO_TAGS, (Mapping(entries, rest, exact and bool(entries)), library.new_array(self, node)))

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
                return Value(UNKNOWN, tags, (Mapping({}, value, False), library.new_array(self, node)))
            value = self.evaluate(node.elt)
        finally:
            self.frame.scope = scope
        rest = Value(UNKNOWN, data_tags(value) | tags, value.refs)
        return Value(UNKNOWN, rest.tags, (Sequence(None, rest),))

    # Containers and subscripts

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
            return None, self.items_of(self.call(Value(refs=(Bound(method[0], [value]),)), [], {}, None))[1]
        tags = data_tags(value)
        return None, Value(UNKNOWN, tags | {ITEM} if VAL in tags and not tags & ROLES else tags)

    def _subscript(self, node: ast.Subscript) -> Value:
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
            return library.looked_up(self, self._any_entry(table), holder, key, node)
        if isinstance(row, Sequence) and len(holder.refs) == 1:
            if row.items is not None and isinstance(key.const, int) and -len(row.items) <= key.const < len(row.items):
                return row.items[key.const]
            if not row.rest.refs:
                return library.looked_up(self, Value(UNKNOWN, data_tags(row.rest)), holder, key, node)
            return row.rest
        if isinstance(instance, Instance) and (method := instance.cls.find("__getitem__")):
            return self.call(Value(refs=(Bound(method[0], [holder]),)), [key], {}, node)
        environ = next((r for r in holder.refs if isinstance(r, External) and r.name.endswith("environ")), None)
        if environ is not None and isinstance(key.const, str):
            return library.environment(self, key.const, Value(UNKNOWN))
        return self._index(node, holder, key)

    def _any_entry(self, table: Mapping) -> Value:
        value = table.rest
        for entry in list(table.entries.values())[:8]:
            value = join(value, entry)
        return value

    def _index(self, node: ast.Subscript, holder: Value, key: Value) -> Value:
        """An element or gather out of a tensor."""
        tags = index_tokens(holder.tags, node.slice)
        result = Value(UNKNOWN, tags)
        return library.looked_up(self, result, holder, key, node)

    def _slice(self, node: ast.Subscript, holder: Value) -> Value:
        assert isinstance(node.slice, ast.Slice)
        bounds = [self.evaluate(p) if p else Value(None) for p in (node.slice.lower, node.slice.upper, node.slice.step)]
        row = holder.ref(Sequence)
        if isinstance(holder.const, str | tuple | bytes) and all(b.known for b in bounds):
            try:
                return Value(holder.const[slice(*[b.const for b in bounds])], holder.tags)  # type: ignore[misc]
            except (TypeError, ValueError):
                return Value(UNKNOWN, data_tags(holder))
        if isinstance(row, Sequence):
            if row.items is not None and all(b.known for b in bounds):
                try:
                    return sequence(row.items[slice(*[b.const for b in bounds])])  # type: ignore[misc]
                except (TypeError, ValueError):
                    pass
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
        label = f"cut:{self.frame.scope.module.number}:{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}/{loops}"
        return (tags - old) | {label}

    # Assignment

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
                self._set_attribute(self.evaluate(target.value), target.attr, value)
            case ast.Subscript():
                kept = keeps_best(target, node, value, self.frame.scope.module)
                self._store(target, Value(value.const, value.tags | kept, value.refs) if kept else value)
            case ast.Starred():
                self.assign(target.value, value, node)

    def _set_attribute(self, holder: Value, name: str, value: Value) -> None:
        for ref in holder.refs:
            names = ref.attributes if isinstance(ref, Instance) else ref.names if isinstance(ref, Class) else None
            if names is None and isinstance(ref, Module):
                names = ref.scope.names
            if names is not None:
                old = names.get(name)
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
        kept = library.keep_loss(self, target, value, key)
        tags |= kept
        if not value.known:
            library.counted(self, holder, key, target)
        self.touch(holder)
        table, row = holder.ref(Mapping), holder.ref(Sequence)
        if isinstance(table, Mapping):
            if key.known and not isinstance(key.const, list | dict):
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
            current = self._name(node.target.id)
        elif isinstance(node.target, ast.Subscript):
            # `table[key] += 1` counts; it does not look anything up.
            if not isinstance(node.op, ast.Add | ast.Sub):
                value = self._binary(node, node.op, self.evaluate(node.target), value)
            self._store(node.target, Value(UNKNOWN, value.tags))
            if not isinstance(node.op, ast.Add):
                return
            holder = self.evaluate(node.target.value)
            self.score(node, holder, value)
            return
        else:
            current = self.evaluate(node.target)
        result = self._binary(node, node.op, current, value)
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
        if not library.is_scored(value.tags):
            return NO_TAGS
        label = frozenset({sticky("sum", self.frame.scope.module, getattr(node, "lineno", 0)), library.SUMMED})
        self.emit(SCORE, node, value.tags | label)
        total.add(value.tags | label)
        return label

    # Attributes, functions, calls

    def attribute(self, holder: Value, name: str, node: ast.AST | None) -> Value:
        for ref in holder.refs:
            found = self._attribute_of(ref, holder, name)
            if found is not None:
                return found
        if name in ("_orig_mod", "module") and holder.ref(Instance):  # of a compiled or distributed wrapper
            return holder
        if holder.ref(Instance) and not any(isinstance(r, External) for r in holder.refs):
            return Value(UNKNOWN, data_tags(holder), (External(name, holder),))
        if name in library.SHAPE:
            return Value(UNKNOWN, NO_TAGS, (External(name, Value()),))
        outside = holder.ref(External)
        dotted = f"{outside.name}.{name}" if isinstance(outside, External) and outside.receiver is None else name
        receiver = None if isinstance(outside, External) and outside.receiver is None else holder
        tags = index_tokens(data_tags(holder), None)
        return Value(UNKNOWN, tags, (External(dotted, receiver),))

    def _attribute_of(self, ref: object, holder: Value, name: str) -> Value | None:
        match ref:
            case Instance():
                if name in ref.attributes:
                    return ref.attributes[name]
                found = ref.cls.find(name)
                return self._bind(found[0], holder) if found else None
            case Super():
                for cls in ref.cls.lineage()[1:]:
                    if name in cls.names:
                        return self._bind(cls.names[name], ref.instance)
                return None
            case Class():
                found = ref.find(name)
                if found is None:
                    return None
                function = found[0].ref(Function)
                if isinstance(function, Function) and "classmethod" in function.decorators:
                    return Value(refs=(Bound(found[0], [Value(refs=(ref,))]),))
                value = found[0]
                return Value(value.const, value.tags, value.refs) if value.known else value
            case Module():
                self.load(ref)
                return ref.scope.names.get(name)
        return None

    def _bind(self, value: Value, instance: Value) -> Value:
        function = value.ref(Function)
        if not isinstance(function, Function):
            return Value(value.const, value.tags, value.refs) if value.known else value
        if "staticmethod" in function.decorators:
            return value
        bound = Value(refs=(Bound(value, [instance]),))
        if function.decorators & {"property", "cached_property"}:
            return self.call(bound, [], {}, None)
        return bound

    def load(self, module: Module) -> None:
        """Run a side file's top level once."""
        if module.done:
            return
        module.done = True
        self.frames.append(Frame(f"<{module.name}>", module.scope))
        module.scope.names["__name__"] = Value(module.name)
        try:
            self.run_block(module.tree.body)
        finally:
            self.frames.pop()

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        names = self.frame.scope.names
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.emit(IMPORT, node, detail=alias.name)
                own = self.modules.get(alias.name)
                bound = alias.asname or alias.name.split(".")[0]
                dotted = alias.name if alias.asname else bound
                names[bound] = Value(refs=(own if own else External(dotted),))
            return
        if not node.level:
            self.emit(IMPORT, node, detail=node.module or "")
        own = self.modules.get((node.module or "").split(".")[-1])
        for alias in node.names:
            bound = alias.asname or alias.name
            if own is not None:
                self.load(own)
                if alias.name == "*":
                    names.update(own.scope.names)
                    continue
                found = own.scope.names.get(alias.name)
                if found is not None:
                    names[bound] = found
                    continue
            names[bound] = Value(refs=(External(f"{node.module}.{alias.name}"),))

    def function_value(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, owner: Class | None = None
    ) -> Value:
        arguments = node.args
        positional = arguments.posonlyargs + arguments.args
        defaults: dict[str, Value] = {}
        for parameter, default in zip(
            positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True
        ):
            defaults[parameter.arg] = self.evaluate(default)
        for parameter, keyword in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if keyword is not None:
                defaults[parameter.arg] = self.evaluate(keyword)
        decorators = getattr(node, "decorator_list", [])
        labels = frozenset(ast.unparse(d).split("(")[0].split(".")[-1] for d in decorators)
        return Value(refs=(Function(node, self.frame.scope, defaults, labels, owner),))

    def _call(self, node: ast.Call) -> Value:
        callee = self.evaluate(node.func)
        arguments: list[Value] = []
        keywords: dict[str, Value] = {}
        for argument in node.args:
            value = self.evaluate(argument)
            if isinstance(argument, ast.Starred):
                items, rest = self.items_of(value)
                arguments.extend(items if items is not None else [rest] * 4)
            else:
                arguments.append(value)
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            else:
                table = value.ref(Mapping)
                if isinstance(table, Mapping):
                    keywords.update({k: v for k, v in table.entries.items() if isinstance(k, str)})
        if isinstance(node.func, ast.Name) and node.func.id == "super" and self.frame.scope.find("self"):
            me, cls = self.frame.scope.find("self"), self.frame.owner
            if me is not None and cls is not None:
                return Value(refs=(Super(cls, me),))
        if library.reports(self, node, arguments):
            return Value(None)
        self.frame.line = node.lineno
        return self.call(callee, arguments, keywords, node)

    def call(self, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None) -> Value:
        """The joined result of everything the callee may be."""
        results: list[Value] = []
        for ref in callee.refs:
            match ref:
                case Function():
                    results.append(self._enter(ref, arguments, keywords))
                case Bound():
                    results.append(
                        self.call(ref.function, ref.arguments + arguments, {**ref.keywords, **keywords}, node)
                    )
                case Class():
                    results.append(self._instantiate(ref, arguments, keywords))
                case Instance():
                    results.append(self._call_instance(callee, ref, arguments, keywords, node))
                case External():
                    results.append(library.call(self, ref, callee, arguments, keywords, node or ast.Pass()))
        if not results:
            return library.unknown_call(self, callee, arguments, keywords, node)
        value = results[0]
        for other in results[1:]:
            value = join(value, other)
        return value

    def _call_instance(
        self, callee: Value, ref: Instance, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None
    ) -> Value:
        method = ref.cls.find("__call__") or ref.cls.find("forward")
        if method is None:
            return library.unknown_call(self, callee, arguments, keywords, node)
        return self.call(Value(refs=(Bound(method[0], [callee]),)), arguments, keywords, node)

    def _instantiate(self, cls: Class, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        instance = Instance(cls, {})
        value = Value(refs=(instance,))
        if library.is_model(cls) and not any(f.owner is not None and library.is_model(f.owner) for f in self.frames):
            self.model_count += 1
            instance.tag = f"model:{self.model_count}"
            value.tags = frozenset({instance.tag})
        if library.is_optimizer(cls):
            value.tags |= data_tags(*arguments[:1], *keywords.values())
        method = cls.find("__init__")
        if method is not None:
            self.call(Value(refs=(Bound(method[0], [value]),)), arguments, keywords, None)
            return value
        for name, given in zip([f for c in reversed(cls.lineage()) for f in c.fields], arguments, strict=False):
            instance.attributes[name] = given
        instance.attributes.update(keywords)
        if post := cls.find("__post_init__"):
            self.call(Value(refs=(Bound(post[0], [value]),)), [], {}, None)
        return value

    def _enter(self, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        """Follow a call into the program."""
        everything = [*arguments, *keywords.values()]
        nested = sum(1 for f in self.frames if f.scope.names.get("__function__", Value()).ref(Function) is function)
        if nested >= MAX_SAME or len(self.frames) >= MAX_CALLS:
            return Value(UNKNOWN, data_tags(*everything))
        if function.name == "step" and function.owner is not None and library.is_optimizer(function.owner):
            library.optimizer_step(self, arguments[0] if arguments else Value(), function.node)
            return Value()
        key = (
            id(function),
            tuple(_signature(a) for a in arguments),
            tuple((k, _signature(v)) for k, v in sorted(keywords.items())),
        )
        remembered = self.memo.get(key)
        entered = function.owner is not None and library.is_model(function.owner) and not library.inside_model(self)
        if remembered is not None and not entered:
            return Value(remembered.const, remembered.tags, remembered.refs)
        scope = Scope(self._bind_arguments(function, arguments, keywords), function.scope, function.scope.module)
        scope.names["__function__"] = Value(refs=(function,))
        frame = Frame(function.name, scope, function.owner)
        events = len(self.trace.events)
        before = [value.tags for value in everything]
        self.frames.append(frame)
        outer, self.uncertain = self.uncertain, self.uncertain
        pruned, self.pruned = self.pruned, []
        model = library.enter_model(self, function, arguments, keywords)
        try:
            if isinstance(function.node, ast.Lambda):
                frame.returns.append(self.evaluate(function.node.body))
            else:
                self.run_block(function.node.body)
        finally:
            self.frames.pop()
            self.uncertain, self.pruned = outer, pruned
        result = self._result(frame)
        library.leave(self, function, arguments, result, model)
        if library.names_a_loss(function.name) and library.is_scored(result.tags | {library.LOSS}):
            result.add({library.LOSS})
        untouched = all(a.tags == old for a, old in zip(everything, before, strict=True))
        if len(self.trace.events) == events and untouched and not isinstance(function.node, ast.Lambda):
            self.memo[key] = Value(result.const, result.tags, result.refs)
        return result

    @staticmethod
    def _result(frame: Frame) -> Value:
        if frame.yields:
            rest = frame.yields[0]
            for other in frame.yields[1:]:
                rest = join(rest, other)
            return Value(UNKNOWN, rest.tags, (Sequence(None, rest),))
        if not frame.returns:
            return Value(None)
        result = frame.returns[0]
        for other in frame.returns[1:]:
            result = _join_results(result, other)
        return result

    def _bind_arguments(
        self, function: Function, arguments: list[Value], keywords: dict[str, Value]
    ) -> dict[str, Value]:
        spec = function.node.args
        names = [p.arg for p in spec.posonlyargs + spec.args]
        bound: dict[str, Value] = {}
        for name, value in zip(names, arguments, strict=False):
            bound[name] = value
        extra = arguments[len(names) :]
        if spec.vararg:
            bound[spec.vararg.arg] = sequence(extra)
        known = set(names) | {p.arg for p in spec.kwonlyargs}
        for name, value in keywords.items():
            if name in known:
                bound[name] = value
        if spec.kwarg:
            rest = {k: v for k, v in keywords.items() if k not in known}
            bound[spec.kwarg.arg] = Value(refs=(Mapping(dict(rest), Value(), True),))
        for name in known - bound.keys():
            default = function.defaults.get(name)
            bound[name] = Value(default.const, default.tags, default.refs) if default is not None else Value()
        return bound


def _join_results(a: Value, b: Value) -> Value:
    """Tuples of equal length join item by item, so that a pair of returns keeps its parts apart."""
    ra, rb = a.ref(Sequence), b.ref(Sequence)
    if (
        isinstance(ra, Sequence)
        and isinstance(rb, Sequence)
        and ra.items is not None
        and rb.items is not None
        and len(ra.items) == len(rb.items)
    ):
        return sequence([join(x, y) for x, y in zip(ra.items, rb.items, strict=True)])
    return join(a, b)


def _signature(value: Value) -> object:
    const = value.const if isinstance(value.const, str | int | float | bool | None | tuple) else "?"
    if const is UNKNOWN:
        const = "?"
    return (const, type(value.const).__name__, value.tags, tuple(id(r) for r in value.refs)[:MAX_REFS])
