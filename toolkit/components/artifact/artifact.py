"""The model's half of a submission: quantized weights in one compressed file, read back without trusting a byte of it.

Layout: magic, format version, recipe (8 bytes of its hash), size of the payload, 8 bytes of a SHA-256 over everything
else, compressed payload; where a recipe has coded schemes, then their coded stream and its size. The payload is a
table, one line `name scheme dimensions` for each tensor in order of name, then what the schemes store, all numbers of
one dtype after the other, in the tensors' order, those of several bytes as planes of first, second, ... bytes. Nothing
is executed or unpickled, and equal weights give equal bytes.
"""

import hashlib
import math
import struct
from itertools import islice

import numpy as np
import torch

from toolkit.components.artifact.coders import append_stream, cut_stream, insert_coded
from toolkit.components.artifact.compressor import compress, decompress
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.require import require_artifact
from toolkit.components.artifact.schemes import numbers_fit, scheme_slots
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT

ARTIFACT_MAGIC = b"GOLF"
ARTIFACT_VERSION = 2
ARTIFACT_HEAD = "<4sB8sI8s"  # magic, version, recipe, bytes of the payload, checksum
CHECKSUM_BYTES = 8
LONGEST_TABLE_LINE = 256
STREAM_DTYPES = ("<i1", "<u2", "<f2", "<f4")


def table_line(name: str, scheme: int, shape: tuple[int, ...]) -> str:
    return " ".join(map(str, (name, scheme, *shape)))


def write_table(quantized: dict[str, QuantizedTensor]) -> bytes:
    return "\n".join(table_line(name, t.scheme, t.shape) for name, t in sorted(quantized.items())).encode()


def split_planes(arrays: list[np.ndarray], dtype: str | np.dtype) -> bytes:
    """The numbers of all arrays of a dtype in a row, as planes of bytes, so that bytes with exponents lie together."""
    flat = np.concatenate([np.empty(0, dtype), *(array.ravel() for array in arrays if array.dtype == dtype)])
    return flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()


def merge_planes(planes: memoryview, dtype: str) -> np.ndarray:
    """Inverse of `split_planes`, as one flat array."""
    return np.frombuffer(planes, np.uint8).reshape(np.dtype(dtype).itemsize, -1).T.copy().view(dtype).ravel()


def stored_arrays(tensor: QuantizedTensor) -> tuple[np.ndarray, ...]:
    """What the payload holds of a tensor, as `scheme_slots` lists it."""
    return tensor.side if tensor.scheme < 0 else (tensor.values, *tensor.side)


def write_payload(quantized: dict[str, QuantizedTensor]) -> bytes:
    """Table and numbers of all tensors, not yet compressed."""
    arrays = [array for _, tensor in sorted(quantized.items()) for array in stored_arrays(tensor)]
    return b"".join([write_table(quantized), b"\n\n", *(split_planes(arrays, dtype) for dtype in STREAM_DTYPES)])


def read_table(cfg: Config, table: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Scheme of each tensor in order of name; `InputError` unless the table lists just the tensors of `shapes`."""
    lines = table.decode("ascii", "replace").split("\n")
    require_artifact(len(lines) == len(shapes), f"{len(shapes)} tensors", len(lines))
    schemes = {}
    for line, (name, shape) in zip(lines, sorted(shapes.items()), strict=True):
        choices = {table_line(name, scheme, shape): scheme for scheme in scheme_slots(cfg, shape)}
        require_artifact(line in choices, f"{name} of shape {shape}", repr(line[:LONGEST_TABLE_LINE]))
        schemes[name] = choices[line]
    return schemes


def read_arrays(data: memoryview, slots: list[tuple[str, str, tuple[int, ...]]]) -> list[np.ndarray]:
    """Arrays of the given kinds, dtypes and shapes from the streams that hold them in this order."""
    sizes = {dtype: sum(math.prod(shape) for _, kind, shape in slots if kind == dtype) for dtype in STREAM_DTYPES}
    data_bytes = sum(size * np.dtype(dtype).itemsize for dtype, size in sizes.items())
    require_artifact(len(data) == data_bytes, f"{data_bytes} bytes of numbers", len(data))
    streams, start = {}, 0
    for dtype, size in sizes.items():
        end = start + size * np.dtype(dtype).itemsize
        streams[dtype], start = merge_planes(data[start:end], dtype), end
    arrays = []
    for _, dtype, shape in slots:
        array, streams[dtype] = np.split(streams[dtype], [math.prod(shape)])
        arrays.append(array.reshape(shape))
    return arrays


def read_payload(
    cfg: Config, payload: bytes, body: bytes, shapes: dict[str, tuple[int, ...]]
) -> dict[str, QuantizedTensor]:
    """Inverse of `write_payload`; `InputError` unless it holds just the tensors of `shapes`, all numbers valid.

    `body` is what follows the artifact's head, with the coded stream at its end.
    """
    end = payload.find(b"\n\n")
    schemes = read_table(cfg, payload[: max(end, 0)], shapes)
    slots = {name: scheme_slots(cfg, shapes[name])[scheme] for name, scheme in schemes.items()}
    stored = iter(read_arrays(memoryview(payload)[end + 2 :], [slot for some in slots.values() for slot in some]))
    arrays = {name: list(islice(stored, len(some))) for name, some in slots.items()}
    insert_coded(cfg, body, schemes, shapes, arrays)
    quantized = {}
    for name, scheme in schemes.items():
        values, *side = arrays[name]
        tensor = QuantizedTensor(scheme, values, tuple(side))
        valid = all(np.isfinite(array).all() for array in arrays[name]) and numbers_fit(cfg, tensor)
        require_artifact(valid, f"numbers of scheme {scheme} in {name}", "others")
        quantized[name] = tensor
    return quantized


def encode_artifact(cfg: Config, quantized: dict[str, QuantizedTensor]) -> bytes:
    """The file's bytes."""
    payload = write_payload(quantized)
    body = append_stream(cfg, compress(cfg, payload), quantized)
    fields = ARTIFACT_MAGIC, ARTIFACT_VERSION, bytes.fromhex(cfg.artifact_id), len(payload)
    head = struct.pack(ARTIFACT_HEAD, *fields, b"")[:-CHECKSUM_BYTES]
    return head + hashlib.sha256(head + body).digest()[:CHECKSUM_BYTES] + body


def decode_artifact(cfg: Config, blob: bytes) -> dict[str, QuantizedTensor]:
    """Inverse of `encode_artifact`, checked against the recipe's own model: nothing larger is ever allocated.

    Raises `InputError` for a file that is foreign, of another version or recipe, damaged, cut short or too long.
    """
    head_bytes = struct.calcsize(ARTIFACT_HEAD)
    require_artifact(len(blob) >= head_bytes, f"at least {head_bytes} bytes", len(blob))
    magic, version, recipe, payload_bytes, checksum = struct.unpack(ARTIFACT_HEAD, blob[:head_bytes])
    require_artifact(magic == ARTIFACT_MAGIC, f"magic {ARTIFACT_MAGIC!r}", magic)
    require_artifact(version == ARTIFACT_VERSION, f"format version {ARTIFACT_VERSION}", version)
    body = blob[head_bytes:]
    actual = hashlib.sha256(blob[: head_bytes - CHECKSUM_BYTES] + body).digest()[:CHECKSUM_BYTES]
    require_artifact(actual == checksum, f"checksum {checksum.hex()}", f"{actual.hex()}: damaged, or cut short")
    require_artifact(recipe.hex() == cfg.artifact_id, f"recipe {cfg.artifact_id}", recipe.hex())
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in GPT(cfg).state_dict().items()}
    most_bytes = sum(4 * math.prod(shape) + LONGEST_TABLE_LINE for shape in shapes.values())
    require_artifact(payload_bytes <= most_bytes, f"at most {most_bytes} bytes of payload", payload_bytes)
    return read_payload(cfg, decompress(cfg, cut_stream(cfg, body), payload_bytes), body, shapes)
