"""Library calls on arrays and tensors."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

from toolkit.check.static.labels.events import SOLVE
from toolkit.check.static.labels.flow import byte_mix, combine, is_realised, spreads, summed, window_pair
from toolkit.check.static.labels.values import (
    LEAF,
    LOSS,
    MASK,
    NO_TAGS,
    PAIR_KEY,
    SUMMED,
    UNKNOWN,
    VAL,
    Array,
    Call,
    Instance,
    Mapping,
    Module,
    Sequence,
    Value,
    data_tags,
    places,
    sticky,
)
from toolkit.check.static.library import effect_calls
from toolkit.check.static.state import marks

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine

CREATORS = {
    "zeros",
    "empty",
    "full",
    "ones",
    "zeros_like",
    "empty_like",
    "ones_like",
    "full_like",
    "new_zeros",
    "new_full",
    "defaultdict",
    "Counter",
    "bytearray",
    "OrderedDict",
    "dict",
    "set",
    "array",
}
KEEPS = {
    "to",
    "cuda",
    "cpu",
    "float",
    "half",
    "bfloat16",
    "double",
    "long",
    "int",
    "eval",
    "train",
    "detach",
    "contiguous",
    "numpy",
    "astype",
    "reshape",
    "view",
    "clone",
    "copy",
    "squeeze",
    "unsqueeze",
    "flatten",
    "requires_grad_",
    "type",
    "pin_memory",
    "tolist",
    "ravel",
    "expand",
    "share_memory_",
    "compile",
    "apply_",
    "item",
    "as_tensor",
    "from_numpy",
    "ascontiguousarray",
    "asarray",
}
OPERATORS: dict[str, ast.operator] = {
    "remainder": ast.Mod(),
    "fmod": ast.Mod(),
    "bitwise_and": ast.BitAnd(),
    "add": ast.Add(),
    "sub": ast.Sub(),
    "mul": ast.Mult(),
    "multiply": ast.Mult(),
    "div": ast.Div(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "pow": ast.Pow(),
    "power": ast.Pow(),
    "float_power": ast.Pow(),
}
REDUCERS = {"sum", "mean", "nansum", "nanmean", "fsum"}
SCATTERS = {"scatter_add_", "index_add_", "index_put_", "put_", "scatter_", "scatter_reduce_", "index_copy_"}
GATHERS = {"gather", "take", "index_select", "take_along_dim", "take_along_axis", "embedding", "lookup"}
MINIMA = {"minimum", "maximum", "fmin", "fmax", "min", "max", "amin"}
SOLVERS = {"solve", "lstsq", "cholesky_solve", "pinv", "lbfgs"}


def tensor_call(machine: Machine, call: Call) -> Value | None:
    for kind in (_create, _keep, _count, _operate, _exchange, _gather):
        result = kind(machine, call)
        if result is not None:
            return result
    return _derive(machine, call)


def _create(machine: Machine, call: Call) -> Value | None:
    name, arguments, keywords = call.name, call.arguments, call.keywords
    if name in CREATORS and (name != "array" or not call.tags):
        leaf = keywords.get("requires_grad")
        fitted = leaf is not None and leaf.const is True and not marks.inside_model(machine)
        made = frozenset({LEAF}) if fitted else NO_TAGS
        if name in ("full", "dict", "defaultdict", "Counter", "bytearray", "set"):
            made |= data_tags(*arguments) - {LOSS}
        refs: tuple[object, ...] = (marks.new_array(machine, call.node),)
        if name in ("dict", "defaultdict", "OrderedDict", "Counter"):
            rest = Value()
            if name == "defaultdict" and arguments:
                rest = machine.call(arguments[0], [], {}, call.node)
            entries: dict[object, Value] = {k: v for k, v in keywords.items() if name == "dict"}
            refs = (Mapping(entries, rest, False), marks.new_array(machine, call.node))
            made = NO_TAGS
        return Value(UNKNOWN, made, refs)
    if name == "Parameter" and not marks.inside_model(machine):
        return Value(UNKNOWN, call.tags | {LEAF})
    return None


def _keep(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name == "requires_grad_" and receiver is not None and receiver.ref(Array) and not marks.inside_model(machine):
        receiver.add({LEAF})
        return receiver
    if name in effect_calls.SAME and arguments:
        return arguments[0]
    if name in KEEPS and receiver is not None:
        if receiver.ref(Instance) or (name.endswith("_") and not receiver.known):
            return receiver
        return Value(UNKNOWN, call.tags, receiver.refs)
    if name in KEEPS and arguments:
        return Value(UNKNOWN, call.tags, arguments[0].refs)
    return None


def _count(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name in SCATTERS and receiver is not None:
        for argument in arguments[:-1]:
            for key in machine.items_of(argument)[0] or [argument]:
                marks.counted(machine, receiver, key, call.node)
        receiver.add(data_tags(*arguments[-1:]) - {LOSS})
        return receiver
    if name == "at" and len(arguments) >= 2:
        marks.counted(machine, arguments[0], arguments[1], call.node)
    if name == "bincount" and arguments:
        made_table = Value(UNKNOWN, NO_TAGS, (marks.new_array(machine, call.node),))
        marks.counted(machine, made_table, arguments[0], call.node)
    if name in ("at", "bincount"):
        return Value(UNKNOWN, NO_TAGS, (marks.new_array(machine, call.node),)) if name == "bincount" else Value(None)
    return None


def _operate(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    module, line, everything = machine.frame.scope.module, call.line, call.everything()
    if name in ("bitwise_xor", "bitwise_xor_", "logical_xor") and everything:
        first, *others = everything
        result = combine(ast.BitXor(), first, others[0] if others else first, module, line)
        if name.endswith("_") and receiver is not None:
            receiver.add(result)
            return receiver
        return Value(UNKNOWN, result)
    if name in OPERATORS and len(everything) >= 2:
        return Value(UNKNOWN, combine(OPERATORS[name], everything[0], everything[1], module, line))
    if name in ("add_", "sub_") and receiver is not None and arguments:
        receiver.add(data_tags(*arguments))
        receiver.add(machine.score(call.node, receiver, arguments[0]))
        return receiver
    return None


def _exchange(machine: Machine, call: Call) -> Value | None:
    name, arguments = call.name, call.arguments
    if name in ("all_gather", "all_gather_into_tensor", "all_gather_object", "gather_object") or (
        name == "gather" and "dist" in call.callee.name
    ):
        for one, other in ((0, 1), (1, 0)):
            if len(arguments) > 1 and (name.startswith("all") or one == 1):
                row = arguments[one].ref(Sequence)
                for target in [arguments[one], *([row.rest, *(row.items or [])] if isinstance(row, Sequence) else [])]:
                    target.add(data_tags(arguments[other]))
                if name.startswith("all"):
                    break
        return Value(None)
    return None


def _gather(machine: Machine, call: Call) -> Value | None:
    if call.name not in GATHERS:
        return None
    source, *others = call.everything() or [Value()]
    keys = [v for v in others if is_realised(v.tags) or PAIR_KEY in v.tags]
    if not keys:
        return Value(UNKNOWN, call.tags)
    if PAIR_KEY in keys[0].tags or source.ref(Array):
        return marks.looked_up(machine, Value(), source, keys[0], call.node)
    if VAL in source.tags:
        return Value(UNKNOWN, call.tags - {SUMMED, MASK} | {LOSS})
    return Value(UNKNOWN, call.tags)


def _derive(machine: Machine, call: Call) -> Value | None:
    """Everything else, for what it makes of losses; None when nothing is to be said."""
    name, receiver, arguments, everything = call.name, call.receiver, call.arguments, call.everything()
    module, line, tags = machine.frame.scope.module, call.line, call.tags
    if name in SOLVERS and "linalg" in call.callee.name and is_realised(tags):
        machine.emit(SOLVE, call.node, tags)
    if name in MINIMA and len(everything) >= 2:
        if all(marks.is_token_loss(v.tags) for v in everything[:2]):
            # The larger of two logarithms is also how a sum of exponentials is kept in range.
            tags |= {sticky("oracle" if "min" in name else "maybe_oracle", module, line)}
        elif "min" in name and all(marks.is_scored(v.tags) for v in everything[:2]):
            tags |= {sticky("best", module, line)}
        tags |= byte_mix(everything[0].tags, everything[1].tags, module, line)
    if name in ("nonzero", "flatnonzero", "argwhere", "argsort") or (name == "where" and len(arguments) == 1):
        return Value(UNKNOWN, frozenset({MASK}))  # positions, whatever chose them
    if name == "where" and len(arguments) == 3:
        return _where(arguments, tags, module, line)
    if (
        name == "masked_fill"
        and receiver is not None
        and arguments
        and places(arguments[0].tags, "match")
        and LOSS in receiver.tags
    ):
        tags |= {sticky("paid", module, line)}
    if name in ("logaddexp", "stack", "cat", "concatenate", "logsumexp"):
        parts = everything
        if len(arguments) == 1 or name in ("stack", "cat", "concatenate"):
            parts = machine.items_of(arguments[0])[0] or [] if arguments else []
        for left, right in pairwise(parts):
            tags |= byte_mix(left.tags, right.tags, module, line) | window_pair(left.tags, right.tags)
    if name in REDUCERS:
        return Value(UNKNOWN, summed(tags))
    if name in ("divide", "true_divide") and len(everything) == 2 and spreads(everything[0].tags, everything[1].tags):
        tags |= {sticky("spread", module, line)}
    if (
        name.endswith("_")
        and not name.endswith("__")
        and receiver is not None
        and not receiver.ref(Instance)
        and not receiver.known
    ):
        receiver.add(tags)
        return receiver
    if name in ("eq", "ne", "gt", "lt", "ge", "le", "equal"):
        if name in ("eq", "equal") and len(everything) >= 2:
            tags |= marks.match_tags(everything[0], everything[1], module, line)
        return Value(UNKNOWN, tags | {MASK})
    return Value(UNKNOWN, tags) if tags != call.tags else None


def _where(arguments: list[Value], tags: frozenset[str], module: Module, line: int) -> Value:
    condition, a, b = arguments
    if places(condition.tags, "match") and any(v.known and v.const == 0 for v in (a, b)) and LOSS in a.tags | b.tags:
        tags |= {sticky("paid", module, line)}
    chosen_by_loss = marks.is_token_loss(condition.tags) and MASK in condition.tags
    if chosen_by_loss and marks.is_token_loss(a.tags) and marks.is_token_loss(b.tags) and not (a.known or b.known):
        tags |= {sticky("oracle", module, line)}
    return Value(UNKNOWN, tags - {MASK})
