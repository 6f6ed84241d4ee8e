"""The model's half of a submission: quantized weights in one compressed file, read back without trusting a byte of it.

Layout: magic, format version, recipe (8 bytes of its hash), size of the payload, 8 bytes of a SHA-256 over everything
else, compressed payload; where a recipe has coded schemes, then their coded stream and its size. The payload is a
table, one line `name scheme dimensions` for each tensor in order of name, then what the schemes store, all numbers of
one dtype after the other, in the tensors' order, those of several bytes as planes of first, second, ... bytes. Nothing
is executed or unpickled, and equal weights give equal bytes.

What a scheme stores, and how to add one, says `quantized.py`. Brotli stays about 1.2 % above the order-0 entropy of
Gaussian symbols however they are arranged, the price of code lengths in whole bits; the coded stream does not.
"""

import hashlib
import math
import struct
import zlib
from itertools import islice

import brotli
import numpy as np
import torch

from toolkit.components.artifact.level_coder import decode_levels, encode_levels
from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_TCQ, QuantizedTensor, allowed_schemes, array_slots
from toolkit.components.artifact.tcq_coder import decode_points, encode_points
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT

ARTIFACT_MAGIC = b"GOLF"
ARTIFACT_VERSION = 2
ARTIFACT_HEAD = "<4sB8sI8s"  # magic, version, recipe, bytes of the payload, checksum
CHECKSUM_BYTES = 8
CODED_SIZE = "<I"
LARGEST_SCALE = 1e18  # of a trellis: all its weights are then finite
LONGEST_TABLE_LINE = 256
STREAM_DTYPES = ("<i1", "<u2", "<f2", "<f4")


def require_artifact(condition: bool, expected: str, found: object) -> None:
    """`InputError` unless `condition` holds."""
    if not condition:
        raise InputError(f"artifact: expected {expected}, found {found}; train again or use the build that wrote it")


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
    """What the payload holds of a tensor, as `array_slots` lists it."""
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
        choices = {table_line(name, scheme, shape): scheme for scheme in allowed_schemes(cfg, shape)}
        require_artifact(line in choices, f"{name} of shape {shape}", repr(line[:LONGEST_TABLE_LINE]))
        schemes[name] = choices[line]
    return schemes


def read_arrays(data: memoryview, slots: list[tuple[str, tuple[int, ...]]]) -> list[np.ndarray]:
    """Arrays of the given dtypes and shapes from the streams that hold them in this order."""
    sizes = {dtype: sum(math.prod(shape) for kind, shape in slots if kind == dtype) for dtype in STREAM_DTYPES}
    data_bytes = sum(size * np.dtype(dtype).itemsize for dtype, size in sizes.items())
    require_artifact(len(data) == data_bytes, f"{data_bytes} bytes of numbers", len(data))
    streams, start = {}, 0
    for dtype, size in sizes.items():
        end = start + size * np.dtype(dtype).itemsize
        streams[dtype], start = merge_planes(data[start:end], dtype), end
    arrays = []
    for dtype, shape in slots:
        array, streams[dtype] = np.split(streams[dtype], [math.prod(shape)])
        arrays.append(array.reshape(shape))
    return arrays


def read_payload(
    cfg: Config, payload: bytes, coded: bytes, shapes: dict[str, tuple[int, ...]]
) -> dict[str, QuantizedTensor]:
    """Inverse of `write_payload`; `InputError` unless it holds just the tensors of `shapes`, all numbers valid."""
    end = payload.find(b"\n\n")
    schemes = read_table(cfg, payload[: max(end, 0)], shapes)
    slots = {name: array_slots(cfg, scheme, shapes[name]) for name, scheme in schemes.items()}
    stored = iter(read_arrays(memoryview(payload)[end + 2 :], [slot for some in slots.values() for slot in some]))
    arrays = {name: list(islice(stored, len(some))) for name, some in slots.items()}
    if cfg.quantize.method in ("hybrid", "tcq"):
        names = [name for name, scheme in schemes.items() if scheme < 0]
        matrices = [(shapes[name], arrays[name]) for name in names]
        if cfg.quantize.method == "hybrid":
            decoded = decode_levels(coded, matrices)
        else:
            decoded = decode_points(cfg, coded, matrices)
        for name, values in zip(names, decoded, strict=True):
            arrays[name].insert(0, values)
    quantized = {}
    for name, scheme in schemes.items():
        values, *side = arrays[name]
        valid = all(np.isfinite(array).all() for array in arrays[name])
        if 0 < scheme < SCHEME_FP16:
            valid &= bool(np.abs(values.astype(np.int16)).max(initial=0) < 2 ** (scheme - 1))
        if cfg.quantize.method == "tcq" and scheme == SCHEME_TCQ:
            valid &= bool(abs(side[0][0]) < LARGEST_SCALE)
        require_artifact(valid, f"numbers of scheme {scheme} in {name}", "others")
        quantized[name] = QuantizedTensor(scheme, values, tuple(side))
    return quantized


def decompress(cfg: Config, body: bytes, payload_bytes: int) -> bytes:
    """The payload, never much more than `payload_bytes` of it; `InputError` unless it has just this size."""
    failure = zlib.error if cfg.quantize.compressor == "zlib" else brotli.error
    try:
        if cfg.quantize.compressor == "zlib":
            inflater = zlib.decompressobj()
            payload = inflater.decompress(body, payload_bytes + 1)
            complete = inflater.eof and not inflater.unused_data
        else:
            decoder = brotli.Decompressor()
            payload = decoder.process(body, output_buffer_limit=payload_bytes + 1)
            complete = decoder.is_finished()
    except failure:
        payload, complete = b"", False
    require_artifact(complete and len(payload) == payload_bytes, f"a stream of {payload_bytes} bytes", "another")
    return payload


def encode_artifact(cfg: Config, quantized: dict[str, QuantizedTensor]) -> bytes:
    """The file's bytes. Brotli needs about 2 s for a million weights."""
    payload = write_payload(quantized)
    if cfg.quantize.compressor == "zlib":
        body = zlib.compress(payload, 9)
    else:
        body = brotli.compress(payload, quality=11, lgwin=24)
    if cfg.quantize.method in ("hybrid", "tcq"):
        matrices = [(tensor.values, tensor.side) for _, tensor in sorted(quantized.items()) if tensor.scheme < 0]
        coded = encode_levels(matrices) if cfg.quantize.method == "hybrid" else encode_points(cfg, matrices)
        body += coded + struct.pack(CODED_SIZE, len(coded))
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
    coded = b""
    if cfg.quantize.method in ("hybrid", "tcq"):
        body, coded = split_coded(body)
    return read_payload(cfg, decompress(cfg, body, payload_bytes), coded, shapes)


def split_coded(body: bytes) -> tuple[bytes, bytes]:
    """Compressed payload and coded stream."""
    end = len(body) - struct.calcsize(CODED_SIZE)
    coded_bytes = struct.unpack(CODED_SIZE, body[end:])[0] if end >= 0 else 0
    require_artifact(coded_bytes <= end, "a coded stream and its size", f"{coded_bytes} bytes in {len(body)}")
    return body[: end - coded_bytes], body[end - coded_bytes : end]
