"""Library calls with an effect: gradients, steps, files, clocks, downloads, hooks."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from toolkit.check.static.labels.events import FORWARD, LOAD, NETWORK, READ, SAVE, STEP
from toolkit.check.static.labels.values import (
    CLOCK,
    FILE,
    NO_TAGS,
    STORED,
    TRAIN,
    UNKNOWN,
    VAL,
    Bound,
    Call,
    Function,
    Instance,
    Mapping,
    Sequence,
    Value,
    data_tags,
)
from toolkit.check.static.state import marks

if TYPE_CHECKING:
    from toolkit.check.static.state.machine import Machine

_DOWNLOAD = re.compile(
    r"^(requests|urllib|httpx|aiohttp|huggingface_hub|datasets|gdown|wget|boto3)\b|hf_hub_download|snapshot_download|urlopen|urlretrieve"
)
_INSTALLER = re.compile(r"\b(curl|wget|pip3? install|apt-get|apt install|conda install|huggingface-cli|git clone)\b")
_SHELL = {"run", "call", "check_call", "check_output", "Popen", "system", "popen"}
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


def states(*values: Value, levels: int = 4) -> frozenset[str]:
    """Models whose parameters these values hold, perhaps inside containers or after a round trip through a file."""
    found = {"state:" + t.partition(":")[2] for t in data_tags(*values) if t.startswith(("model:", "state:"))}
    for ref in (r for value in values for r in value.refs if levels):
        if isinstance(ref, Mapping):
            found |= states(ref.rest, *list(ref.entries.values())[:64], levels=levels - 1)
        elif isinstance(ref, Sequence):
            found |= states(ref.rest, *(ref.items or [])[:64], levels=levels - 1)
    return frozenset(found)


def effect_call(machine: Machine, call: Call) -> Value | None:
    for kind in (_training, _clocks_and_files, _outside, _later, _modules):
        result = kind(machine, call)
        if result is not None:
            return result
    return None


def _training(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name == "backward" and receiver is not None:
        machine.gradient = data_tags(receiver)
        return Value(None)
    if name == "grad" and "autograd" in call.callee.name and arguments:
        machine.gradient = data_tags(arguments[0])
        machine.emit(STEP, call.node, machine.gradient, params=NO_TAGS, detail="autograd.grad")
        return Value(UNKNOWN, data_tags(*arguments[1:]))
    if name == "step" and "sched" in ast.unparse(call.node).lower():
        return Value(None)
    if name == "step" and receiver is not None:
        for argument in arguments:
            if argument.ref(Function):
                machine.call(argument, [], {}, call.node)
        marks.optimizer_step(machine, receiver, call.node)
        return Value()
    if "optim" in call.callee.name and name[:1].isupper():
        return Value(UNKNOWN, call.tags)
    return None


def _clocks_and_files(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name in ("perf_counter", "time", "monotonic", "perf_counter_ns", "process_time") and (
        call.callee.name.startswith("time") or name.startswith("perf")
    ):
        return Value(UNKNOWN, frozenset({CLOCK}))
    if name in READERS and (receiver is None or not receiver.ref(Instance)):
        if arguments and isinstance(arguments[0].const, str):
            mode = (arguments[1] if len(arguments) > 1 else call.keywords.get("mode", Value(""))).const
            writes = name == "open" and str(mode)[:1] in ("w", "x", "a")
            machine.emit(SAVE if writes else READ, call.node, detail=arguments[0].const)
        return Value(UNKNOWN, (call.tags & {VAL, TRAIN}) or frozenset({FILE}) | machine.saved)
    if name in ("save", "write", "write_bytes", "tofile", "savez", "dump"):
        path = next((a.const for a in arguments if isinstance(a.const, str)), "")
        machine.emit(SAVE, call.node, call.tags, detail=path)
        machine.saved |= states(*arguments) | ({STORED} if marks.is_token_loss(call.tags) else NO_TAGS)
        return Value(None)
    return None


def _outside(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if _DOWNLOAD.search(call.callee.name) and receiver is None:
        machine.emit(NETWORK, call.node, detail=call.callee.name)
        return Value(UNKNOWN, call.tags)
    if name in _SHELL and receiver is None:
        text = " ".join(str(i.const) for a in arguments for i in (machine.items_of(a)[0] or [a]) if i.known)
        if arguments and isinstance(arguments[0].const, str):
            text = arguments[0].const
        if _INSTALLER.search(text):
            machine.emit(NETWORK, call.node, detail=text)
        return Value()
    return None


def _later(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name == "partial" and arguments:
        return Value(refs=(Bound(arguments[0], arguments[1:], call.keywords),))
    if name in ("submit", "checkpoint", "starmap", "Thread", "Process"):
        target = call.keywords.get("target") or next((a for a in arguments if a.ref(Function) or a.ref(Bound)), None)
        if target is not None:
            given = call.keywords.get("args")
            rest = machine.items_of(given)[0] or [] if given is not None else [a for a in arguments if a is not target]
            return machine.call(target, rest, {}, call.node)
    if name == "result" and receiver is not None and not arguments:
        return receiver
    return None


def _modules(machine: Machine, call: Call) -> Value | None:
    name, receiver, arguments = call.name, call.receiver, call.arguments
    if name == "load_state_dict" and receiver is not None:
        machine.emit(LOAD, call.node, states(*arguments), params=data_tags(receiver))
        return Value(None)
    if "nn." in call.callee.name and name[:1].isupper() and name != "Parameter" and not marks.inside_model(machine):
        machine.model_count += 1
        refs = arguments[0].refs if arguments and name in SAME else ()
        return Value(UNKNOWN, call.tags | {f"model:{machine.model_count}"}, refs)
    if name in ("zero_grad", "manual_seed", "barrier", "all_reduce", "broadcast", "synchronize", "register_buffer"):
        return Value(None)
    if (
        name in ("state_dict", "parameters", "named_parameters", "modules", "named_modules", "children", "buffers")
        and receiver is not None
    ):
        return Value(UNKNOWN, data_tags(receiver))
    if name.startswith("register_") and "hook" in name:
        machine.emit(FORWARD, call.node, NO_TAGS, detail="hook")
        for argument in arguments:
            if argument.ref(Function):
                machine.call(argument, [Value(), Value(), Value()], {}, call.node)
        return Value()
    return None
