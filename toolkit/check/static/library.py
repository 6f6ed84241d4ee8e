"""What calls outside the program do to values: PyTorch, NumPy, files, clocks, containers."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from toolkit.check.static import constants
from toolkit.check.static.events import FORWARD, LOAD, LOOKUP, NATIVE, NETWORK, REPORT, SAVE, SCORE, SOLVE, STEP, UPDATE
from toolkit.check.static.flow import byte_mix, combine, is_realised, spreads
from toolkit.check.static.machine import Frame, sequence
from toolkit.check.static.values import (
    CLOCK,
    CONTEXT,
    COUNT,
    FILE,
    LEAF,
    LOSS,
    MASK,
    NO_TAGS,
    PAIR_KEY,
    PAIR_SUM,
    PREFIX,
    SUMMED,
    TARGET,
    TRAIN,
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
    Sequence,
    Value,
    data_tags,
    join,
    places,
    sticky,
)

if TYPE_CHECKING:
    from toolkit.check.static.expressions import Expressions

_LOSS_NAME = re.compile(r"cross_entropy|crossentropy|nll|xent|(^|_)ce($|_)|ce_loss", re.IGNORECASE)
_LOGGER = re.compile(r"log|print|write|info|echo|report|emit", re.IGNORECASE)
_BPB = re.compile(r"bpb|bits_per_byte|bits/byte", re.IGNORECASE)
_DOWNLOAD = re.compile(
    r"^(requests|urllib|httpx|aiohttp|huggingface_hub|datasets|gdown|wget|boto3)\b|hf_hub_download|snapshot_download|urlopen|urlretrieve"
)
_INSTALLER = re.compile(r"\b(curl|wget|pip3? install|apt-get|apt install|conda install|huggingface-cli|git clone)\b")
_SHELL = {"run", "call", "check_call", "check_output", "Popen", "system", "popen"}
_MODEL_RESULT = frozenset(
    {VAL, TRAIN, TARGET, CONTEXT, LOSS, LEAF, PREFIX}
)  # what a model's inside leaves on its output
RANKS = {"RANK", "WORLD_SIZE", "LOCAL_RANK"}
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
READERS = {"open", "fromfile", "load", "memmap", "read_bytes", "read_text", "loadtxt", "fromfile_np", "load_file"}
SAME = {
    "compile",
    "DistributedDataParallel",
    "DDP",
    "deepcopy",
    "copy",
    "jit",
    "njit",
    "script",
    "no_grad",
    "inference_mode",
    "disable",
    "wraps",
    "lru_cache",
    "cache",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "unwrap",
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
REDUCERS = {"sum", "mean", "nansum", "nanmean", "fsum"}
SCATTERS = {"scatter_add_", "index_add_", "index_put_", "put_", "scatter_", "scatter_reduce_", "index_copy_"}
GATHERS = {"gather", "take", "index_select", "take_along_dim", "take_along_axis", "embedding", "lookup"}
MINIMA = {"minimum", "maximum", "fmin", "fmax", "min", "max", "amin"}
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
SOLVERS = {"solve", "lstsq", "cholesky_solve", "pinv", "lbfgs"}


def is_scored(tags: frozenset[str]) -> bool:
    return LOSS in tags and VAL in tags


def names_a_loss(name: str) -> bool:
    return _LOSS_NAME.search(name) is not None


def is_model(cls: Class) -> bool:
    return "Module" in cls.outside_bases()


def is_optimizer(cls: Class) -> bool:
    return "ptimizer" in cls.outside_bases() or any(
        "ptimizer" in c.name or c.name.startswith(("Muon", "Adam", "SGD")) for c in cls.lineage()
    )


def environment(machine: Expressions, name: str, default: Value) -> Value:
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


def looked_up(machine: Expressions, result: Value, holder: Value, key: Value, node: ast.AST) -> Value:
    """What a table or tensor gives for a key."""
    module, line = machine.frame.scope.module, getattr(node, "lineno", 0)
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


def new_array(machine: Expressions, node: ast.AST) -> Array:
    machine.array_count += 1
    return Array(machine.array_count)


def tables(holder: Value) -> frozenset[str]:
    """Identity of the tables a value may be."""
    return frozenset(f"table:{r.number}" for r in holder.refs if isinstance(r, Array))


def counted(machine: Expressions, holder: Value, key: Value, node: ast.AST) -> None:
    """Note that a table learns from tokens."""
    if key.tags & {VAL, TRAIN} and MASK not in key.tags:
        machine.emit(UPDATE, node, data_tags(key), params=tables(holder))
        holder.add(key.tags & {TRAIN})


def keep_loss(machine: Expressions, node: ast.AST, value: Value, key: Value | None) -> frozenset[str]:
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
        stored = not other.known and CONTEXT not in other.tags and bool(other.tags & {FILE, VAL})
        if is_realised(one.tags) and stored and LOSS not in other.tags:
            return frozenset({sticky("match", module, line)})
    return NO_TAGS


def inside_model(machine: Expressions, frames: list[Frame] | None = None) -> bool:
    return any(f.owner is not None and is_model(f.owner) for f in (machine.frames if frames is None else frames))


def enter_model(
    machine: Expressions, function: Function, arguments: list[Value], keywords: dict[str, Value]
) -> str | None:
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


def leave(machine: Expressions, function: Function, arguments: list[Value], result: Value, model: str | None) -> None:
    if model is None:
        return
    tags = data_tags(*arguments[1:])
    if VAL in tags and not result.known and any(TARGET in a.tags for a in arguments[1:]):
        result.add({LOSS})
    if VAL in tags and not result.known and CONTEXT not in result.tags and LOSS not in result.tags:
        result.add({CONTEXT})
    row = result.ref(Sequence)
    for part in [result, *((row.items or [row.rest]) if isinstance(row, Sequence) else [])]:
        part.tags &= _MODEL_RESULT | {t for t in part.tags if t.startswith(("model:", "cut:"))}
    result.add({model})


def optimizer_step(machine: Expressions, optimizer: Value, node: ast.AST) -> None:
    if machine.gradient:
        machine.emit(STEP, node, machine.gradient, params=data_tags(optimizer))


def reports(machine: Expressions, node: ast.Call, arguments: list[Value]) -> bool:
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
        if VAL in value.tags and any(_BPB.search(t) for t in texts):
            machine.emit(REPORT, node, value.tags, detail=" ".join(texts))
            told = True
    return told


def unknown_call(
    machine: Expressions, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: ast.AST | None
) -> Value:
    tags = data_tags(callee, *arguments, *keywords.values())
    return Value(UNKNOWN, tags)


def call(
    machine: Expressions,
    ref: External,
    callee: Value,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value:
    """The result of a library call, and its effects."""
    name = ref.name.rsplit(".", 1)[-1]
    receiver = ref.receiver
    everything = [*arguments, *keywords.values()]
    if name in machine.natives:
        machine.emit(NATIVE, node, data_tags(*everything), detail=name)
    for family in (_environment, _builtin, _container, _effect, _tensor):
        result = family(machine, ref, name, receiver, arguments, keywords, node)
        if result is not None:
            return result
    tags = data_tags(receiver, *everything)
    if names_a_loss(ref.name) and VAL in tags:
        tags = tags - {SUMMED, MASK} | {LOSS}
    return Value(UNKNOWN, tags)


def _environment(
    machine: Expressions,
    ref: External,
    name: str,
    receiver: Value | None,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value | None:
    if (
        name in ("get", "getenv", "setdefault")
        and ("environ" in ref.name or name == "getenv")
        and arguments
        and isinstance(arguments[0].const, str)
    ):
        default = arguments[1] if len(arguments) > 1 else keywords.get("default", Value(None))
        value = environment(machine, arguments[0].const, default)
        if name == "setdefault":
            machine.environment[arguments[0].const] = value
        return value
    return None


def _builtin(
    machine: Expressions,
    ref: External,
    name: str,
    receiver: Value | None,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value | None:
    if receiver is not None and receiver.known:
        if all(a.known for a in arguments):
            const = constants.fold_method(receiver.const, name, [a.const for a in arguments])
            if const is not UNKNOWN:
                return Value(const, data_tags_with_settings(receiver, *arguments))
        return None
    if receiver is not None or ("." in ref.name and ref.name != "dataclasses.field"):
        return None
    if arguments and not keywords and all(a.known for a in arguments):
        const = constants.fold_builtin(name, [a.const for a in arguments])
        if const is not UNKNOWN:
            return Value(const, data_tags_with_settings(*arguments))
    match name:
        case "range":
            return _range(arguments)
        case "enumerate" if arguments:
            items, rest = machine.items_of(arguments[0])
            first = items[0] if items else rest
            later = rest
            for item in (items or [])[1:4]:
                later = join(later, item)
            start = sequence([Value(0), first])
            return Value(
                UNKNOWN, start.tags, (Sequence([start, sequence([Value(), later])], sequence([Value(), later])),)
            )
        case "zip":
            firsts, rests = [], []
            for argument in arguments:
                items, rest = machine.items_of(argument)
                firsts.append(items[0] if items else rest)
                rests.append(rest)
            start = sequence(firsts)
            return Value(UNKNOWN, start.tags, (Sequence([start, sequence(rests)], sequence(rests)),))
        case "field" if "default_factory" in keywords:
            return machine.call(keywords["default_factory"], [], {}, node)
        case "field" if "default" in keywords:
            return keywords["default"]
        case "field":
            return Value()
        case "getattr" if len(arguments) >= 2 and isinstance(arguments[1].const, str):
            return _getattr(machine, arguments)
        case "setattr" if len(arguments) == 3 and isinstance(arguments[1].const, str):
            machine._set_attribute(arguments[0], arguments[1].const, arguments[2])
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
            result = machine.call(arguments[0], [machine.items_of(a)[1] for a in arguments[1:]], {}, node)
            return Value(UNKNOWN, result.tags, (Sequence(None, result),))
        case "hash" if arguments and is_realised(arguments[0].tags) and CONTEXT in arguments[0].tags:
            return Value(UNKNOWN, data_tags(*arguments) | {PAIR_KEY})
        case "sum":
            return Value(UNKNOWN, data_tags(*arguments) | {SUMMED})
        case "isinstance" | "callable" | "hasattr":
            return Value()
        case "len":
            return Value(UNKNOWN, data_tags(*[Value(UNKNOWN, a.tags) for a in arguments]) - {LOSS})
    return None


def data_tags_with_settings(*values: Value) -> frozenset[str]:
    return frozenset().union(*(v.tags for v in values))


def _range(arguments: list[Value]) -> Value:
    consts = [a.const for a in arguments]
    if all(isinstance(c, int) for c in consts) and 1 <= len(consts) <= 3 and (len(consts) < 3 or consts[2] != 0):
        full = range(*consts)  # type: ignore[arg-type]
        if len(full) <= 16:
            if not full:
                return Value((), frozenset().union(*(a.tags for a in arguments)))
            return sequence([Value(i) for i in full])
    start = arguments[0] if len(arguments) > 1 else Value(0)
    first = Value(start.const, data_tags(start))
    return Value(UNKNOWN, NO_TAGS, (Sequence([first, Value()], Value()),))


def _getattr(machine: Expressions, arguments: list[Value]) -> Value:
    holder, name = arguments[0], arguments[1].const
    assert isinstance(name, str)
    for ref in holder.refs:
        found = machine._attribute_of(ref, holder, name)
        if found is not None:
            return found
    if len(arguments) > 2:
        default = arguments[2]
        certain = bool(holder.refs) and all(isinstance(r, Instance) and not r.cls.outside_bases() for r in holder.refs)
        return default if certain else join(default, Value(UNKNOWN, data_tags(holder)))
    return machine.attribute(holder, name, None)


def _container(
    machine: Expressions,
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
            value = machine._any_entry(table)
        else:
            value = Value(UNKNOWN, data_tags(receiver))
        if len(arguments) > 1 and arguments[1].refs:
            value = join(value, arguments[1])
            if name == "setdefault" and isinstance(table, Mapping):
                table.rest, table.exact = value, False
        return looked_up(machine, Value(UNKNOWN, value.tags, value.refs), receiver, key, node)
    if isinstance(table, Mapping):
        if name == "items":
            pairs = [sequence([Value(k), v]) for k, v in table.entries.items()]
            rest = sequence([Value(UNKNOWN, data_tags(receiver)), machine._any_entry(table)])
            return Value(UNKNOWN, data_tags(rest), (Sequence(pairs if table.exact and pairs else None, rest),))
        if name in ("values", "keys"):
            value = machine._any_entry(table) if name == "values" else Value(UNKNOWN, data_tags(receiver))
            items = list(table.entries.values()) if name == "values" and table.exact else None
            return Value(UNKNOWN, data_tags(value), (Sequence(items, value),))
        if name == "update" and arguments:
            counted(machine, receiver, arguments[0], node)
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
        if kept := keep_loss(machine, node, value, None):
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


def _effect(
    machine: Expressions,
    ref: External,
    name: str,
    receiver: Value | None,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value | None:
    tags = data_tags(receiver, *arguments, *keywords.values())
    if name == "backward" and receiver is not None:
        machine.gradient = data_tags(receiver)
        return Value(None)
    if name == "grad" and "autograd" in ref.name and arguments:
        machine.gradient = data_tags(arguments[0])
        machine.emit(STEP, node, machine.gradient, params=NO_TAGS, detail="autograd.grad")
        return Value(UNKNOWN, data_tags(*arguments[1:]))
    if name == "step" and "sched" in ast.unparse(node).lower():
        return Value(None)
    if name == "step" and receiver is not None:
        for argument in arguments:
            if argument.ref(Function):
                machine.call(argument, [], {}, node)
        optimizer_step(machine, receiver, node)
        return Value()
    if "optim" in ref.name and name[:1].isupper():
        return Value(UNKNOWN, tags)
    if name in ("perf_counter", "time", "monotonic", "perf_counter_ns", "process_time") and (
        ref.name.startswith("time") or name.startswith("perf")
    ):
        return Value(UNKNOWN, frozenset({CLOCK}))
    if name in READERS and (receiver is None or not receiver.ref(Instance)):
        return Value(UNKNOWN, (tags & {VAL, TRAIN}) or frozenset({FILE}))
    if name in ("save", "write", "write_bytes", "tofile", "savez", "dump"):
        machine.emit(SAVE, node, tags)
        return Value(None)
    if _DOWNLOAD.search(ref.name) and receiver is None:
        machine.emit(NETWORK, node, detail=ref.name)
        return Value(UNKNOWN, tags)
    if name in _SHELL and receiver is None:
        text = " ".join(str(i.const) for a in arguments for i in (machine.items_of(a)[0] or [a]) if i.known)
        if arguments and isinstance(arguments[0].const, str):
            text = arguments[0].const
        if _INSTALLER.search(text):
            machine.emit(NETWORK, node, detail=text)
        return Value()
    if name == "partial" and arguments:
        return Value(refs=(Bound(arguments[0], arguments[1:], keywords),))
    if name in ("submit", "checkpoint", "starmap", "Thread", "Process"):
        target = keywords.get("target") or next((a for a in arguments if a.ref(Function) or a.ref(Bound)), None)
        if target is not None:
            given = keywords.get("args")
            rest = machine.items_of(given)[0] or [] if given is not None else [a for a in arguments if a is not target]
            return machine.call(target, rest, {}, node)
    if name == "result" and receiver is not None and not arguments:
        return receiver
    if name == "load_state_dict" and receiver is not None:
        machine.emit(LOAD, node, params=data_tags(receiver))
        return Value(None)
    if "nn." in ref.name and name[:1].isupper() and name != "Parameter" and not inside_model(machine):
        machine.model_count += 1
        return Value(
            UNKNOWN, tags | {f"model:{machine.model_count}"}, arguments[0].refs if arguments and name in SAME else ()
        )
    if name in ("zero_grad", "manual_seed", "barrier", "all_reduce", "broadcast", "synchronize", "register_buffer"):
        return Value(None)
    if (
        name in ("state_dict", "parameters", "named_parameters", "modules", "named_modules", "children", "buffers")
        and receiver is not None
    ):
        return Value(UNKNOWN, data_tags(receiver))
    if name.startswith("register_") and "hook" in name:
        machine.emit(FORWARD, node, NO_TAGS, detail="hook")
        for argument in arguments:
            if argument.ref(Function):
                machine.call(argument, [Value(), Value(), Value()], {}, node)
        return Value()
    return None


def _tensor(
    machine: Expressions,
    ref: External,
    name: str,
    receiver: Value | None,
    arguments: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
) -> Value | None:
    module, line = machine.frame.scope.module, getattr(node, "lineno", 0)
    everything = [*([receiver] if receiver is not None else []), *arguments, *keywords.values()]
    tags = data_tags(*everything)
    inside = inside_model(machine)
    if name in CREATORS and (name != "array" or not tags):
        leaf = keywords.get("requires_grad")
        made = frozenset({LEAF}) if leaf is not None and leaf.const is True and not inside else NO_TAGS
        if name in ("full", "dict", "defaultdict", "Counter", "bytearray", "set"):
            made |= data_tags(*arguments) - {LOSS}
        refs: tuple[object, ...] = (new_array(machine, node),)
        if name in ("dict", "defaultdict", "OrderedDict", "Counter"):
            rest = Value()
            if name == "defaultdict" and arguments and (arguments[0].ref(Function) or arguments[0].ref(Bound)):
                rest = machine.call(arguments[0], [], {}, node)
            elif name == "defaultdict" and arguments and isinstance(arguments[0].ref(External), External):
                rest = call(machine, arguments[0].ref(External), arguments[0], [], {}, node)  # type: ignore[arg-type]
            refs = (
                Mapping({k: v for k, v in keywords.items()} if name == "dict" else {}, rest, False),
                new_array(machine, node),
            )
            made = NO_TAGS
        return Value(UNKNOWN, made, refs)
    if name == "Parameter" and not inside:
        return Value(UNKNOWN, tags | {LEAF})
    if name == "requires_grad_" and receiver is not None and receiver.ref(Array) and not inside:
        receiver.add({LEAF})
        return receiver
    if name in SAME and arguments:
        return arguments[0]
    if name in KEEPS and receiver is not None:
        if receiver.ref(Instance) or (name.endswith("_") and not receiver.known):
            return receiver
        return Value(UNKNOWN, tags, receiver.refs)
    if name in KEEPS and arguments:
        return Value(UNKNOWN, tags, arguments[0].refs)
    if name in SCATTERS and receiver is not None:
        for argument in arguments[:-1]:
            for key in machine.items_of(argument)[0] or [argument]:
                counted(machine, receiver, key, node)
        receiver.add(data_tags(*arguments[-1:]) - {LOSS})
        return receiver
    if name == "at" and len(arguments) >= 2:
        counted(machine, arguments[0], arguments[1], node)
    if name == "bincount" and arguments:
        made_table = Value(UNKNOWN, NO_TAGS, (new_array(machine, node),))
        counted(machine, made_table, arguments[0], node)
    if name in ("at", "bincount"):
        return Value(UNKNOWN, NO_TAGS, (new_array(machine, node),)) if name == "bincount" else Value(None)
    if name in ("bitwise_xor", "bitwise_xor_", "logical_xor"):
        pair = everything[:2]
        result = combine(ast.BitXor(), pair[0], pair[-1], module, line)
        if name.endswith("_") and receiver is not None:
            receiver.add(result)
            return receiver
        return Value(UNKNOWN, result)
    if (
        name in ("remainder", "fmod", "bitwise_and", "add", "div", "divide", "true_divide", "mul", "multiply", "sub")
        and len(everything) >= 2
    ):
        op = {
            "remainder": ast.Mod(),
            "fmod": ast.Mod(),
            "bitwise_and": ast.BitAnd(),
            "add": ast.Add(),
            "sub": ast.Sub(),
        }.get(name, ast.Div() if "div" in name else ast.Mult())
        return Value(UNKNOWN, combine(op, everything[0], everything[1], module, line))
    if name in ("add_", "sub_") and receiver is not None and arguments:
        receiver.add(data_tags(*arguments))
        receiver.add(machine.score(node, receiver, arguments[0]))
        return receiver
    if name in ("all_gather", "all_gather_into_tensor", "all_gather_object", "gather_object") or (
        name == "gather" and "dist" in ref.name
    ):
        for one, other in ((0, 1), (1, 0)):
            if len(arguments) > 1 and (name.startswith("all") or one == 1):
                row = arguments[one].ref(Sequence)
                for target in [arguments[one], *([row.rest, *(row.items or [])] if isinstance(row, Sequence) else [])]:
                    target.add(data_tags(arguments[other]))
                if name.startswith("all"):
                    break
        return Value(None)
    if name in GATHERS:
        return _gather(machine, everything, tags, node)
    if name in SOLVERS and "linalg" in ref.name and is_realised(tags):
        machine.emit(SOLVE, node, tags)
    if name in MINIMA and len(everything) >= 2:
        if all(_per_token_loss(v.tags) for v in everything[:2]):
            # The larger of two logarithms is also how a sum of exponentials is kept in range.
            tags |= {sticky("oracle" if "min" in name else "maybe_oracle", module, line)}
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
        for one, other in zip(parts, parts[1:], strict=False):
            tags |= byte_mix(one.tags, other.tags, module, line)
    if name in REDUCERS:
        return Value(UNKNOWN, tags | {SUMMED})
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
            tags |= match_tags(everything[0], everything[1], module, line)
        return Value(UNKNOWN, tags | {MASK})
    return Value(UNKNOWN, tags) if tags != data_tags(*everything) else None


def _per_token_loss(tags: frozenset[str]) -> bool:
    return LOSS in tags and VAL in tags and SUMMED not in tags


def _gather(machine: Expressions, everything: list[Value], tags: frozenset[str], node: ast.AST) -> Value:
    keys = [v for v in everything[1:] if is_realised(v.tags) or PAIR_KEY in v.tags]
    if not keys:
        return Value(UNKNOWN, tags)
    if PAIR_KEY in keys[0].tags or everything[0].ref(Array):
        return looked_up(machine, Value(), everything[0], keys[0], node)
    if VAL in everything[0].tags:
        tags = tags - {SUMMED, MASK} | {LOSS}
    return Value(UNKNOWN, tags)


def _where(arguments: list[Value], tags: frozenset[str], module: Module, line: int) -> Value:
    condition, a, b = arguments
    if places(condition.tags, "match") and any(v.known and v.const == 0 for v in (a, b)) and LOSS in a.tags | b.tags:
        tags |= {sticky("paid", module, line)}
    chosen_by_loss = _per_token_loss(condition.tags) and MASK in condition.tags
    if chosen_by_loss and _per_token_loss(a.tags) and _per_token_loss(b.tags) and not (a.known or b.known):
        tags |= {sticky("oracle", module, line)}
    return Value(UNKNOWN, tags - {MASK})


__all__ = ["SCORE", "SUMMED", "call", "environment", "looked_up"]
