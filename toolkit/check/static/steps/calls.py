"""Functions and calls of the abstract run."""

from __future__ import annotations

import ast

from toolkit.check.static.labels.values import (
    LOSS,
    MAX_REFS,
    UNKNOWN,
    Bound,
    Call,
    Class,
    External,
    Function,
    Instance,
    Mapping,
    Scope,
    Sequence,
    Super,
    Value,
    data_tags,
    join,
    sequence,
)
from toolkit.check.static.library import library
from toolkit.check.static.state import marks
from toolkit.check.static.state.machine import Frame, Machine

MAX_CALLS = 40  # nesting of followed calls
MAX_SAME = 2  # of the same function


class Calls(Machine):
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

    def call_expression(self, node: ast.Call) -> Value:
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
        if marks.reports(self, node, arguments):
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
                    results.append(library.call(self, Call.of(ref, arguments, keywords, node or ast.Pass())))
        if not results:
            return library.unknown_call(callee, arguments, keywords)
        value = results[0]
        for other in results[1:]:
            value = join(value, other)
        return value

    def _call_instance(
        self, callee: Value, ref: Instance, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None
    ) -> Value:
        method = ref.cls.find("__call__") or ref.cls.find("forward")
        if method is None:
            return library.unknown_call(callee, arguments, keywords)
        return self.call(Value(refs=(Bound(method[0], [callee]),)), arguments, keywords, node)

    def _instantiate(self, cls: Class, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        instance = Instance(cls, {})
        value = Value(refs=(instance,))
        if marks.is_model(cls) and not any(f.owner is not None and marks.is_model(f.owner) for f in self.frames):
            self.model_count += 1
            instance.tag = f"model:{self.model_count}"
            value.tags = frozenset({instance.tag})
        if marks.is_optimizer(cls):
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
        if function.name == "step" and function.owner is not None and marks.is_optimizer(function.owner):
            marks.optimizer_step(self, arguments[0] if arguments else Value(), function.node)
            return Value()
        key = (
            id(function),
            tuple(_signature(a) for a in arguments),
            tuple((k, _signature(v)) for k, v in sorted(keywords.items())),
        )
        remembered = self.memo.get(key)
        entered = function.owner is not None and marks.is_model(function.owner) and not marks.inside_model(self)
        if remembered is not None and not entered:
            return Value(remembered.const, remembered.tags, remembered.refs)
        if entered:
            arguments = marks.model_inputs(function, arguments)
        scope = Scope(self._bind_arguments(function, arguments, keywords), function.scope, function.scope.module)
        scope.names["__function__"] = Value(refs=(function,))
        frame = Frame(function.name, scope, function.owner)
        events, writes = len(self.trace.events), self.writes
        before = [value.tags for value in everything]
        self.frames.append(frame)
        uncertain, pruned, self.pruned = self.uncertain, self.pruned, []
        model = marks.enter_model(self, function, arguments, keywords)
        try:
            if isinstance(function.node, ast.Lambda):
                frame.returns.append(self.evaluate(function.node.body))
            else:
                self.run_block(function.node.body)
        finally:
            self.frames.pop()
            self.uncertain, self.pruned = uncertain, pruned
        result = self._result(frame)
        marks.leave(self, function, arguments, result, model)
        if marks.names_a_loss(function.name) and marks.is_scored(result.tags | {LOSS}):
            result.add({LOSS})
        untouched = all(a.tags == old for a, old in zip(everything, before, strict=True))
        still = (len(self.trace.events), self.writes) == (events, writes)
        if still and untouched and not isinstance(function.node, ast.Lambda):
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
            rest: dict[object, Value] = {k: v for k, v in keywords.items() if k not in known}
            bound[spec.kwarg.arg] = Value(refs=(Mapping(rest, Value(), True),))
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
    return (
        value.const if value.known else "?",
        type(value.const).__name__,
        value.tags,
        tuple(id(r) for r in value.refs)[:MAX_REFS],
    )
