"""What the abstract run notes about values: roles of models and optimisers, look-ups, scores, reports."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from toolkit.check.static.labels.events import FORWARD, LOOKUP, REPORT, SCORE, STEP, UPDATE
from toolkit.check.static.labels.flow import is_realised
from toolkit.check.static.labels.values import (
    CONTEXT,
    COUNT,
    FIGURE,
    FILE,
    LEAF,
    LOSS,
    MASK,
    NO_TAGS,
    PAIR_KEY,
    PAIR_SUM,
    PATH,
    PREFIX,
    ROLES,
    SUMMED,
    TARGET,
    TRAIN,
    UNKNOWN,
    VAL,
    Array,
    Class,
    Function,
    Instance,
    Mapping,
    Module,
    Sequence,
    Value,
    data_tags,
    sticky,
)
from toolkit.check.static.state.machine import Frame

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine

_LOSS_NAME = re.compile(r"cross_entropy|crossentropy|nll|xent|(^|_)ce($|_)|ce_loss", re.IGNORECASE)
_LOGGER = re.compile(r"log|print|write|info|echo|report|emit", re.IGNORECASE)
_BPB = re.compile(r"bpb|bits_per_byte|bits/byte", re.IGNORECASE)
_TARGETS = re.compile(r"y$|.*(?:target|tgt|label)", re.IGNORECASE)
_MODEL_RESULT = frozenset(
    {VAL, TRAIN, TARGET, CONTEXT, LOSS, LEAF, PREFIX}
)  # what a model's inside leaves on its output

# Attributes and methods that tell about a tensor's form and not about what it holds.
SHAPE = {
    "device",
    "dtype",
    "shape",
    "ndim",
    "size",
    "numel",
    "dim",
    "nbytes",
    "element_size",
    "itemsize",
    "is_cuda",
    "stride",
    "requires_grad",
}


def is_scored(tags: frozenset[str]) -> bool:
    return LOSS in tags and VAL in tags


def is_token_loss(tags: frozenset[str]) -> bool:
    return is_scored(tags) and SUMMED not in tags


def names_a_loss(name: str) -> bool:
    return _LOSS_NAME.search(name) is not None


def is_model(cls: Class) -> bool:
    return "Module" in cls.outside_bases()


def is_optimizer(cls: Class) -> bool:
    return "ptimizer" in cls.outside_bases() or any(
        "ptimizer" in c.name or c.name.startswith(("Muon", "Adam", "SGD")) for c in cls.lineage()
    )


def looked_up(machine: Machine, result: Value, holder: Value, key: Value, node: ast.AST) -> Value:
    """What a table or tensor gives for a key."""
    module, line = machine.frame.scope.module, getattr(node, "lineno", 0)
    if PATH in key.tags:
        return result
    if MASK in key.tags:  # a selection or position: which elements, not what they are
        return result if result.refs else Value(UNKNOWN, data_tags(result, holder))
    tags = (
        data_tags(result)
        | (data_tags(key) - {PAIR_KEY, PAIR_SUM, MASK})
        | (data_tags(holder) if not result.refs else NO_TAGS)
    )
    if VAL in key.tags:
        if holder.ref(Array) or holder.ref(Mapping) or holder.ref(Sequence) or COUNT in holder.tags:
            tags |= {COUNT, sticky("count", module, line)}
            machine.emit(LOOKUP, node, tags, params=tables(holder))
        if PAIR_KEY in key.tags:
            tags |= {COUNT, sticky("pair", module, line)}
        if VAL in holder.tags and is_realised(key.tags) and CONTEXT in holder.tags:
            tags |= {LOSS}
    if result.refs:
        for ref in result.refs:
            if isinstance(ref, Array | Mapping | Sequence):
                result.add(tags & {COUNT} | {t for t in tags if t.startswith(("pair@", "count@"))})
                return result
    return Value(UNKNOWN, tags, result.refs)


def new_array(machine: Machine, node: ast.AST) -> Array:
    machine.array_count += 1
    return Array(machine.array_count)


def tables(holder: Value) -> frozenset[str]:
    """Identity of the tables a value may be."""
    return frozenset(f"table:{r.number}" for r in holder.refs if isinstance(r, Array))


def counted(machine: Machine, holder: Value, key: Value, node: ast.AST) -> None:
    """Note that a table learns from tokens."""
    if key.tags & {VAL, TRAIN} and not key.tags & {MASK, PATH}:
        machine.emit(UPDATE, node, data_tags(key), params=tables(holder))
        holder.add(key.tags & {TRAIN})


def keep_loss(machine: Machine, node: ast.AST, value: Value, key: Value | None) -> frozenset[str]:
    """Note that per-token losses are kept in a list or array, to be summed later."""
    memory = (
        key is not None
        and VAL in key.tags
        and MASK not in key.tags
        and not isinstance(getattr(node, "slice", None), ast.Slice)
    )
    if not is_scored(value.tags) or SUMMED in value.tags or TARGET not in value.tags or memory:
        return NO_TAGS
    label = frozenset({sticky("kept", machine.frame.scope.module, getattr(node, "lineno", 0))})
    machine.emit(SCORE, node, value.tags | label)
    return label


def match_tags(a: Value, b: Value, module: Module, line: int) -> frozenset[str]:
    """Stored tokens compared with the realised ones."""
    for one, other in ((a, b), (b, a)):
        stored = not other.known and not other.tags & {CONTEXT, PATH} and bool(other.tags & {FILE, VAL})
        if is_realised(one.tags) and stored and LOSS not in other.tags:
            return frozenset({sticky("match", module, line)})
    return NO_TAGS


def inside_model(machine: Machine, frames: list[Frame] | None = None) -> bool:
    return any(f.owner is not None and is_model(f.owner) for f in (machine.frames if frames is None else frames))


def model_inputs(function: Function, arguments: list[Value]) -> list[Value]:
    """Tokens whose role is not known yet are what the model reads, unless its parameter says otherwise."""
    names = [p.arg for p in function.node.args.posonlyargs + function.node.args.args]
    roles = [VAL in a.tags and not a.tags & ROLES for a in arguments]
    return [
        Value(a.const, a.tags | {CONTEXT}, a.refs) if open_role and not _TARGETS.match(name) else a
        for a, open_role, name in zip(arguments, roles, [*names, *[""] * len(arguments)], strict=False)
    ]


def enter_model(machine: Machine, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> str | None:
    """Label of the model whose method is entered from outside; notes the data that goes in."""
    if function.owner is None or not arguments or not is_model(function.owner) or function.name == "__init__":
        return None
    if inside_model(machine, machine.frames[:-1]):
        return None
    instance = arguments[0].ref(Instance)
    if not isinstance(instance, Instance):
        return None
    tags = data_tags(*arguments[1:], *keywords.values())
    if tags & {VAL, TRAIN}:
        machine.emit(FORWARD, function.node, tags, caller=True)
    return instance.tag


def leave(machine: Machine, function: Function, arguments: list[Value], result: Value, model: str | None) -> None:
    if model is None:
        return
    tags = data_tags(*arguments[1:])
    if VAL in tags and not result.known and any(TARGET in a.tags for a in arguments[1:]):
        result.add({LOSS})
    if VAL in tags and not result.known and CONTEXT not in result.tags and LOSS not in result.tags:
        result.add({CONTEXT})
    row = result.ref(Sequence)
    # A slice inside that yields no loss is of features, not of positions.
    kept = _MODEL_RESULT if LOSS in result.tags or PREFIX in tags else _MODEL_RESULT - {PREFIX}
    for part in [result, *((row.items or [row.rest]) if isinstance(row, Sequence) else [])]:
        part.tags &= kept | {t for t in part.tags if t.startswith(("model:", "cut:"))}
    result.add({model})


def optimizer_step(machine: Machine, optimizer: Value, node: ast.AST) -> None:
    if machine.gradient:
        machine.emit(STEP, node, machine.gradient, params=data_tags(optimizer))


def figure(node: ast.JoinedStr) -> frozenset[str]:
    """The label of a line that is put together in one place and printed in another."""
    texts = [v.value for v in node.values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return frozenset({FIGURE}) if any(_BPB.search(text) for text in texts) else NO_TAGS


def reports(machine: Machine, node: ast.Call, arguments: list[Value]) -> bool:
    """A printed line that speaks of bits per byte and shows a loss on validation tokens."""
    name = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    if not _LOGGER.search(name):
        return False
    told = False
    for argument, value in zip(node.args, arguments, strict=False):
        texts = [c.value for c in ast.walk(argument) if isinstance(c, ast.Constant) and isinstance(c.value, str)]
        if VAL in value.tags and (FIGURE in value.tags or any(_BPB.search(t) for t in texts)):
            machine.emit(REPORT, node, value.tags, detail=" ".join(texts))
            told = True
    return told
