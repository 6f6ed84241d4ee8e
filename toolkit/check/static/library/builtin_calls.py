"""Calls of Python's own functions, on constants and on program values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.check.static.labels import constants
from toolkit.check.static.labels.flow import is_realised, summed
from toolkit.check.static.labels.values import (
    CONTEXT,
    LOSS,
    NO_TAGS,
    PAIR_KEY,
    UNKNOWN,
    Call,
    Instance,
    Sequence,
    Value,
    data_tags,
    join,
    sequence,
)

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine


def builtin_call(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if receiver is not None and receiver.known:
        if all(a.known for a in arguments):
            const = constants.fold_method(receiver.const, name, [a.const for a in arguments])
            if const is not UNKNOWN:
                return Value(const, data_tags_with_settings(receiver, *arguments))
        return None
    if receiver is not None or ("." in call.callee.name and call.callee.name != "dataclasses.field"):
        return None
    if arguments and not call.keywords and all(a.known for a in arguments):
        const = constants.fold_builtin(name, [a.const for a in arguments])
        if const is not UNKNOWN:
            return Value(const, data_tags_with_settings(*arguments))
    match name:
        case "range":
            return _range(arguments)
        case "enumerate" if arguments:
            return _enumerate(machine, arguments[0])
        case "zip":
            return _zip(machine, arguments)
        case "field" if "default_factory" in call.keywords:
            return machine.call(call.keywords["default_factory"], [], {}, call.node)
        case "field" if "default" in call.keywords:
            return call.keywords["default"]
        case "field":
            return Value()
        case "getattr" if len(arguments) >= 2 and isinstance(arguments[1].const, str):
            return _getattr(machine, arguments)
        case "setattr" if len(arguments) == 3 and isinstance(arguments[1].const, str):
            machine.set_attribute(arguments[0], arguments[1].const, arguments[2])
            return Value(None)
        case "list" | "tuple" | "iter" | "sorted" | "reversed" if arguments:
            items, rest = machine.items_of(arguments[0])
            if name in ("sorted", "reversed"):
                items = None
            return sequence(list(items)) if items is not None else Value(UNKNOWN, rest.tags, (Sequence(None, rest),))
        case "list":
            return sequence([])
        case "next" if arguments:
            return machine.items_of(arguments[0])[1]
        case "map" if len(arguments) >= 2:
            result = machine.call(arguments[0], [machine.items_of(a)[1] for a in arguments[1:]], {}, call.node)
            return Value(UNKNOWN, result.tags, (Sequence(None, result),))
        case "hash" if arguments and is_realised(arguments[0].tags) and CONTEXT in arguments[0].tags:
            return Value(UNKNOWN, data_tags(*arguments) | {PAIR_KEY})
        case "sum":
            return Value(UNKNOWN, summed(data_tags(*arguments)))
        case "isinstance" | "callable" | "hasattr":
            return Value()
        case "len":
            return Value(UNKNOWN, data_tags(*[Value(UNKNOWN, a.tags) for a in arguments]) - {LOSS})
    return None


def data_tags_with_settings(*values: Value) -> frozenset[str]:
    return frozenset().union(*(v.tags for v in values))


def _range(arguments: list[Value]) -> Value:
    consts = [a.const for a in arguments if isinstance(a.const, int)]
    if len(consts) == len(arguments) and 1 <= len(consts) <= 3 and (len(consts) < 3 or consts[2] != 0):
        full = range(*consts)
        if len(full) <= 16:
            if not full:
                return Value((), frozenset().union(*(a.tags for a in arguments)))
            return sequence([Value(i) for i in full])
    start = arguments[0] if len(arguments) > 1 else Value(0)
    first = Value(start.const, data_tags(start))
    return Value(UNKNOWN, NO_TAGS, (Sequence([first, Value()], Value()),))


def _enumerate(machine: Machine, iterable: Value) -> Value:
    items, rest = machine.items_of(iterable)
    later = rest
    for item in (items or [])[1:4]:
        later = join(later, item)
    return _walked([Value(0), items[0] if items else rest], [Value(), later])


def _zip(machine: Machine, iterables: list[Value]) -> Value:
    pairs = [machine.items_of(iterable) for iterable in iterables]
    return _walked([items[0] if items else rest for items, rest in pairs], [rest for _, rest in pairs])


def _walked(first: list[Value], later: list[Value]) -> Value:
    """What gives one tuple first and others later."""
    start = sequence(first)
    return Value(UNKNOWN, start.tags, (Sequence([start, sequence(later)], sequence(later)),))


def _getattr(machine: Machine, arguments: list[Value]) -> Value:
    holder, name = arguments[0], arguments[1].const
    assert isinstance(name, str)
    for ref in holder.refs:
        found = machine.attribute_of(ref, holder, name)
        if found is not None:
            return found
    if len(arguments) > 2:
        default = arguments[2]
        certain = bool(holder.refs) and all(isinstance(r, Instance) and not r.cls.outside_bases() for r in holder.refs)
        return default if certain else join(default, Value(UNKNOWN, data_tags(holder)))
    return machine.attribute(holder, name, None)
