"""Methods of lists, dictionaries and sets."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from toolkit.check.static import marks
from toolkit.check.static.machine import sequence
from toolkit.check.static.values import (
    UNKNOWN,
    Array,
    External,
    Mapping,
    Sequence,
    Value,
    data_tags,
    join,
    split_of,
)

if TYPE_CHECKING:
    from toolkit.check.static.machine import Statements


def container_call(
    machine: Statements,
    ref: External,
    name: str,
    receiver: Value | None,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value | None:
    if receiver is None:
        return None
    table, row = receiver.ref(Mapping), receiver.ref(Sequence)
    if name in ("get", "setdefault", "pop") and arguments and (isinstance(table, Mapping) or receiver.ref(Array)):
        key = arguments[0]
        if isinstance(table, Mapping):
            if key.known and key.const in table.entries:
                return table.entries[key.const]
            if key.known and table.exact and name == "get":
                return arguments[1] if len(arguments) > 1 else Value(None)
            if table.splits and (split := split_of(key)):
                return table.splits.get(split, table.rest)
            value = machine.any_entry(table)
        else:
            value = Value(UNKNOWN, data_tags(receiver))
        if len(arguments) > 1 and arguments[1].refs:
            value = join(value, arguments[1])
            if name == "setdefault" and isinstance(table, Mapping):
                table.rest, table.exact = value, False
        return marks.looked_up(machine, Value(UNKNOWN, value.tags, value.refs), receiver, key, node)
    if isinstance(table, Mapping):
        if name == "items":
            pairs = [sequence([Value(k), v]) for k, v in table.entries.items()]
            rest = sequence([Value(UNKNOWN, data_tags(receiver)), machine.any_entry(table)])
            return Value(UNKNOWN, data_tags(rest), (Sequence(pairs if table.exact and pairs else None, rest),))
        if name in ("values", "keys"):
            value = machine.any_entry(table) if name == "values" else Value(UNKNOWN, data_tags(receiver))
            items = list(table.entries.values()) if name == "values" and table.exact else None
            return Value(UNKNOWN, data_tags(value), (Sequence(items, value),))
        if name == "update" and arguments:
            marks.counted(machine, receiver, arguments[0], node)
            other = arguments[0].ref(Mapping)
            table.exact = False
            if isinstance(other, Mapping):
                table.entries.update(other.entries)
                table.rest = join(table.rest, other.rest)
            else:
                table.rest = join(table.rest, Value(UNKNOWN, data_tags(arguments[0])))
            return Value(None)
    if name in ("append", "appendleft", "extend", "add", "insert", "put", "extendleft") and (
        isinstance(row, Sequence) or receiver.ref(Array) or not receiver.refs
    ):
        value = arguments[-1] if arguments else Value()
        if name.startswith("extend"):
            value = machine.items_of(value)[1]
        if kept := marks.keep_loss(machine, node, value, None):
            value = Value(value.const, value.tags | kept, value.refs)
        machine.touch(receiver)
        if isinstance(row, Sequence):
            if (
                row.items is not None
                and name == "append"
                and not machine.uncertain
                and not machine.loops
                and len(row.items) < 64
            ):
                row.items.append(value)
            else:
                row.items = None
            row.rest = join(row.rest, value)
        receiver.add(data_tags(value))
        return Value(None)
    if isinstance(row, Sequence) and name in ("pop", "popleft", "copy"):
        return row.rest if name != "copy" else receiver
    return None
