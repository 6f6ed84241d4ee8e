"""Calls out of the program: environment variables, and which family a library function belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from toolkit.check.static.labels import constants
from toolkit.check.static.labels.events import NATIVE
from toolkit.check.static.labels.flow import path_tags
from toolkit.check.static.labels.values import (
    LOSS,
    MASK,
    NO_TAGS,
    PATH,
    SUMMED,
    UNKNOWN,
    VAL,
    Call,
    Value,
    data_tags,
)
from toolkit.check.static.library import builtin_calls, container_calls, effect_calls, tensor_calls
from toolkit.check.static.state import marks

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine

# Functions and methods that give a path for a path; what others give was read from the file.
_OF_PATHS = re.compile(
    r"(?i)path|glob|^(str|sorted|list|resolve|absolute|format|iterdir|with_\w+|name|parent|stem|f?join)$"
)
RANKS = {"RANK", "WORLD_SIZE", "LOCAL_RANK"}


def environment(machine: Machine, name: str, default: Value) -> Value:
    """An environment variable under the effective settings."""
    if name in RANKS:
        return Value()
    if name in machine.environment and not machine.uncertain:
        return machine.environment[name]
    found = machine.settings.lookup(name)
    if found is not None:
        text, level = found
        if text in ("True", "False") and default.const in ("0", "1", 0, 1):
            text = str(int(text == "True"))
        return Value(text, constants.text_tags(text) | {f"cfg:{name}={text[:60]} ({level})"})
    shown = str(default.const)[:60] if default.known else "?"
    return Value(
        default.const, default.tags | ({f"cfg:{name}={shown} (code)"} if default.known else NO_TAGS), default.refs
    )


def call(machine: Machine, call: Call) -> Value:
    """The result of a library call, and its effects."""
    name, arguments = call.name, call.arguments
    if name in machine.natives:
        labels = [LOSS if LOSS in argument.tags else VAL if VAL in argument.tags else "" for argument in arguments]
        passed = frozenset(f"{label}:{i}" for i, label in enumerate(labels) if label)
        machine.emit(NATIVE, call.node, data_tags(*arguments, *call.keywords.values()), params=passed, detail=name)
    for family in (
        _environment,
        builtin_calls.builtin_call,
        container_calls.container_call,
        effect_calls.effect_call,
        tensor_calls.tensor_call,
    ):
        result = family(machine, call)
        if result is not None:
            return result
    tags = call.tags
    if marks.names_a_loss(call.callee.name) and VAL in tags:
        tags = tags - {SUMMED, MASK} | {LOSS}
    if name in ("join", "joinpath") and arguments:
        return Value(UNKNOWN, path_tags(data_tags(call.receiver, *arguments[:-1]), arguments[-1].tags))
    if PATH in tags and not _OF_PATHS.search(call.callee.name):
        tags -= {PATH}
    return Value(UNKNOWN, tags)


def unknown_call(callee: Value, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return Value(UNKNOWN, data_tags(callee, *arguments, *keywords.values()))


def _environment(machine: Machine, call: Call) -> Value | None:
    name, arguments = call.name, call.arguments
    if (
        name in ("get", "getenv", "setdefault")
        and ("environ" in call.callee.name or name == "getenv")
        and arguments
        and isinstance(arguments[0].const, str)
    ):
        default = arguments[1] if len(arguments) > 1 else call.keywords.get("default", Value(None))
        value = environment(machine, arguments[0].const, default)
        if name == "setdefault":
            machine.environment[arguments[0].const] = value
        return value
    return None
