"""Matrices of few levels: symbols by rANS, under a table a tensor, times the step of their row.

Scheme -L has L levels, [-(L // 2), (L - 1) // 2].
"""

from collections.abc import Sequence

import numpy as np

from toolkit.components.artifact.rans import rans_decode, rans_encode

LANES = 256  # three bytes each


def level_slots(shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """By scheme the kind, dtype and shape of each stored array: steps, and widths of the levels for rANS."""
    return {-levels: [("scales", "<f2", shape[:1]), ("tables", "<u2", (levels,))] for levels in range(2, 257)}


def encode_levels(matrices: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]]) -> bytes:
    """The stream of symbols int8 [R, C], each matrix with its side: steps and table."""
    symbols = [values.ravel() + np.int16(len(table) // 2) for values, (_, table) in matrices]
    return rans_encode(symbols, [table for _, (_, table) in matrices], LANES)


def decode_levels(data: bytes, matrices: Sequence[tuple[tuple[int, ...], Sequence[np.ndarray]]]) -> list[np.ndarray]:
    """Inverse of `encode_levels`, given each matrix's shape and side.

    `InputError` for a stream that is damaged or cut short, or under a table that does not sum to 2^14.
    """
    sizes = [int(np.prod(shape)) for shape, _ in matrices]
    arrays = rans_decode(data, sizes, [table for _, (_, table) in matrices], LANES)
    return [
        (array.astype(np.int16) - len(table) // 2).astype(np.int8).reshape(shape)
        for array, (shape, (_, table)) in zip(arrays, matrices, strict=True)
    ]
