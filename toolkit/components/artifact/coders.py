"""The stream of coded values behind the compressed payload: the one place that knows all coders.

It holds the values of all tensors whose scheme is below zero, in order of name, and its size follows it. Brotli stays
about 1.2 % above the order-0 entropy of Gaussian symbols however they are arranged, the price of code lengths in whole
bits; a coded stream does not.
"""

import struct
from collections.abc import Sequence

import numpy as np

from toolkit.components.artifact.level_coder import decode_levels, encode_levels
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.require import require_artifact
from toolkit.components.artifact.tcq_coder import decode_points, encode_points
from toolkit.components.config import Config

STREAM_SIZE = "<I"


def encode_values(cfg: Config, matrices: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]]) -> bytes:
    """The stream of matrices, each with its side, under a recipe whose storage is coded."""
    if cfg.quantize.storage == "levels":
        return encode_levels(matrices)
    return encode_points(cfg, matrices)


def decode_values(
    cfg: Config, stream: bytes, matrices: Sequence[tuple[tuple[int, ...], Sequence[np.ndarray]]]
) -> list[np.ndarray]:
    """Inverse of `encode_values`, given each matrix's shape and side; `InputError` for a stream that is damaged."""
    if cfg.quantize.storage == "levels":
        return decode_levels(stream, matrices)
    return decode_points(cfg, stream, matrices)


def append_stream(cfg: Config, payload: bytes, quantized: dict[str, QuantizedTensor]) -> bytes:
    """The compressed payload with the coded stream behind it, where the recipe has one."""
    if not cfg.quantize.coded:
        return payload
    stream = encode_values(cfg, [(t.values, t.side) for _, t in sorted(quantized.items()) if t.scheme < 0])
    return payload + stream + struct.pack(STREAM_SIZE, len(stream))


def cut_stream(cfg: Config, body: bytes) -> bytes:
    """The compressed payload alone."""
    if not cfg.quantize.coded:
        return body
    return split_stream(body)[0]


def insert_coded(
    cfg: Config,
    body: bytes,
    schemes: dict[str, int],
    shapes: dict[str, tuple[int, ...]],
    arrays: dict[str, list[np.ndarray]],
) -> None:
    """Put the values that the stream holds before the other arrays of their tensors."""
    if cfg.quantize.coded:
        names = [name for name, scheme in schemes.items() if scheme < 0]
        decoded = decode_values(cfg, split_stream(body)[1], [(shapes[name], arrays[name]) for name in names])
        for name, values in zip(names, decoded, strict=True):
            arrays[name].insert(0, values)


def split_stream(body: bytes) -> tuple[bytes, bytes]:
    """Compressed payload and coded stream."""
    end = len(body) - struct.calcsize(STREAM_SIZE)
    stream_bytes = struct.unpack(STREAM_SIZE, body[end:])[0] if end >= 0 else 0
    require_artifact(stream_bytes <= end, "a coded stream and its size", f"{stream_bytes} bytes in {len(body)}")
    return body[: end - stream_bytes], body[end - stream_bytes : end]
