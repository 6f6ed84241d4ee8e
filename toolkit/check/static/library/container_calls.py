"""Methods of lists, dictionaries and sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.check.static.labels.values import (
    UNKNOWN,
    Array,
    Call,
    Mapping,
    Sequence,
    Value,
    data_tags,
    join,
    sequence,
    split_of,
)
from toolkit.check.static.state import marks

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine


_APPENDERS = {"append", "appendleft", "extend", "add", "insert", "put", "extendleft"}


def container_call(machine: Machine, call: Call) -> Value | None:
    name, receiver = call.name, call.receiver
    if receiver is None:
        return None
    table, row = receiver.ref(Mapping), receiver.ref(Sequence)
    if name in ("get", "setdefault", "pop") and call.arguments and (table or receiver.ref(Array)):
        return _get(machine, call, receiver)
    if isinstance(table, Mapping):
        result = _of_mapping(machine, call, receiver, table)
        if result is not None:
            return result
    if name in _APPENDERS and (row or receiver.ref(Array) or not receiver.refs):
        _append(machine, call, receiver)
        return Value(None)
    if isinstance(row, Sequence) and name in ("pop", "popleft", "copy"):
        return row.rest if name != "copy" else receiver
    return None


def _get(machine: Machine, call: Call, receiver: Value) -> Value:
    key, *defaults = call.arguments
    table = receiver.ref(Mapping)
    if isinstance(table, Mapping):
        if key.known and key.const in table.entries:
            return table.entries[key.const]
        if key.known and table.exact and call.name == "get":
            return defaults[0] if defaults else Value(None)
        if table.splits and (split := split_of(key)):
            return table.splits.get(split, table.rest)
        value = machine.any_entry(table)
    else:
        value = Value(UNKNOWN, data_tags(receiver))
    if defaults and defaults[0].refs:
        value = join(value, defaults[0])
        if call.name == "setdefault" and isinstance(table, Mapping):
            table.rest, table.exact = value, False
    return marks.looked_up(machine, Value(UNKNOWN, value.tags, value.refs), receiver, key, call.node)


def _of_mapping(machine: Machine, call: Call, receiver: Value, table: Mapping) -> Value | None:
    name, arguments = call.name, call.arguments
    if name == "items":
        pairs = [sequence([Value(k), v]) for k, v in table.entries.items()]
        rest = sequence([Value(UNKNOWN, data_tags(receiver)), machine.any_entry(table)])
        return Value(UNKNOWN, data_tags(rest), (Sequence(pairs if table.exact and pairs else None, rest),))
    if name in ("values", "keys"):
        value = machine.any_entry(table) if name == "values" else Value(UNKNOWN, data_tags(receiver))
        items = list(table.entries.values()) if name == "values" and table.exact else None
        return Value(UNKNOWN, data_tags(value), (Sequence(items, value),))
    if name == "update" and arguments:
        marks.counted(machine, receiver, arguments[0], call.node)
        other = arguments[0].ref(Mapping)
        table.exact = False
        if isinstance(other, Mapping):
            table.entries.update(other.entries)
            table.rest = join(table.rest, other.rest)
        else:
            table.rest = join(table.rest, Value(UNKNOWN, data_tags(arguments[0])))
        return Value(None)
    return None


def _append(machine: Machine, call: Call, receiver: Value) -> None:
    value = call.arguments[-1] if call.arguments else Value()
    if call.name.startswith("extend"):
        value = machine.items_of(value)[1]
    if kept := marks.keep_loss(machine, call.node, value, None):
        value = Value(value.const, value.tags | kept, value.refs)
    machine.touch(receiver)
    row = receiver.ref(Sequence)
    if isinstance(row, Sequence):
        certain = not machine.uncertain and not machine.loops
        if row.items is not None and call.name == "append" and certain and len(row.items) < 64:
            row.items.append(value)
        else:
            row.items = None
        row.rest = join(row.rest, value)
    receiver.add(data_tags(value))
