"""Trellis-coded matrices: points of a grid as one rANS stream, under tables that both sides compute from whole numbers.

Points are int16; a scale and codes of rows and columns describe their grid (see `tcq.py`). A symbol's table is that of
a Gaussian. Its deviation follows from the codes of row and column, in quarters of octaves; whether its points are even
or odd is a matter of the trellis, whose states the decoder follows. Columns are taken `model_dim` at a time, each in a
lane from the top down.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.rans import TABLE_SLOTS, RansDecoder, RansEncoder
from toolkit.components.config import Config

SCHEME_TCQ = -1
LARGEST_SCALE = 1e18  # all weights are then finite
CLASSES = 49
FIRST_CLASS = -16  # the first one's deviation is 2^(-16 / 4) steps
SYMBOL_OFFSET = 2048  # symbols are -2048 to 2047


def point_slots(shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """By scheme the kind, dtype and shape of each stored array: scale, codes of row, deviation and column."""
    codes = [("scales", "<i1", shape[:1]), ("scales", "<i1", shape[:1]), ("scales", "<i1", shape[1:])]
    return {SCHEME_TCQ: [("scales", "<f4", (1,)), *codes]}


def points_fit(tensor: QuantizedTensor) -> bool:
    """Whether the scale leaves all weights finite."""
    return bool(abs(tensor.side[0][0]) < LARGEST_SCALE)


def point_symbols(tensor: QuantizedTensor) -> np.ndarray:
    """Half of each point: the state of the trellis knows whether it is odd."""
    return tensor.values >> 1


def point_weights(tensor: QuantizedTensor) -> np.ndarray:
    """Points times their grid, float32 [R, C]."""
    scale, rows, _, columns = tensor.side
    grid = eighth_octaves(rows)[:, None] * eighth_octaves(columns) * (scale / 2.0)
    return (tensor.values * grid).astype(np.float32)


def trellis_taps(states: int) -> tuple[int, int]:
    """What an odd symbol and an odd state change in the next state: Ungerboeck's h1 and h0 without their lowest bit.

    One state is no trellis: all its points are even.
    """
    return {1: (0, 0), 4: (1, 2), 8: (2, 5), 16: (2, 9), 32: (4, 18)}[states]


def next_states(states: int) -> np.ndarray:
    """intp [2 * states], by twice the state plus the symbol's parity."""
    odd_symbol, odd_state = trellis_taps(states)
    return np.array([i >> 2 ^ (i & 1) * odd_symbol ^ (i >> 1 & 1) * odd_state for i in range(2 * states)])


def eighth_octaves(codes: np.ndarray) -> np.ndarray:
    """2^(code / 8) to 20 places, float64: the same on every machine."""
    octaves, eighths = np.divmod(codes.astype(np.int32), 8)
    return np.ldexp(np.array([round(2 ** (20 + i / 8)) for i in range(8)], float)[eighths], octaves - 20)


def class_reach(index: int) -> int:
    """The largest symbol of a class: beyond eight deviations."""
    return min(math.ceil(8 * 2 ** ((index + FIRST_CLASS) / 4)) + 2, SYMBOL_OFFSET - 1)


def class_tables() -> np.ndarray:
    """Widths int64 [2 * CLASSES, 4096] of symbols -2048 to 2047, 2^14 a row; a class has a table for even points and
    one for odd ones.

    Every symbol within reach has one slot, and the rest follow a Gaussian's distribution function, rounded once.
    """
    tables = np.zeros((2 * CLASSES, 2 * SYMBOL_OFFSET), np.int64)
    for i in range(2 * CLASSES):
        reach = class_reach(i // 2)
        scale = 2 ** ((i // 2 + FIRST_CLASS) / 4 + 0.5625)  # sqrt(2) deviations in the middle of the class
        edges = np.array([math.erf((k + i % 2 / 2 - 0.5) / scale) for k in range(-reach, reach + 2)])
        shares = (edges - edges[0]) / (edges[-1] - edges[0])
        widths = 1 + np.diff(np.rint((TABLE_SLOTS - 2 * reach - 1) * shares))
        tables[i, SYMBOL_OFFSET - reach : SYMBOL_OFFSET + reach + 1] = widths
    return tables


def even_tables(deviation_codes: np.ndarray, column_codes: np.ndarray) -> np.ndarray:
    """Tables of the even points by row and column, intp [R, C], from eighths of octaves int8 [R] and [C]."""
    octaves = deviation_codes.astype(np.intp)[:, None] - column_codes
    return 2 * ((octaves >> 1) - FIRST_CLASS).clip(0, CLASSES - 1)


def deviation_codes(points: np.ndarray, column_codes: np.ndarray) -> np.ndarray:
    """Deviation of each row in steps of its own, in eighths of octaves int8 [R], such that tables have all symbols."""
    steps = eighth_octaves(column_codes)
    variance = np.square(points / 2 * steps).mean(1) - np.square(steps).mean() / 12
    codes = np.rint(4 * np.log2(variance.clip(2.0**-12, 2.0**24)))
    reach = [class_reach(index) for index in range(CLASSES)]
    needed = 2 * (np.searchsorted(reach, np.abs(points >> 1)) + FIRST_CLASS) + column_codes
    return np.maximum(codes, needed.max(1)).clip(-128, 127).astype(np.int8)


def lane_steps(cfg: Config, shape: tuple[int, ...]) -> Iterator[tuple[int, slice]]:
    """Row and columns of each step through a matrix [R, C]."""
    for first in range(0, shape[1], cfg.model.model_dim):
        for row in range(shape[0]):
            yield row, slice(first, first + cfg.model.model_dim)


def encode_points(cfg: Config, matrices: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]]) -> bytes:
    """The stream of points int16 [R, C], each matrix with its side: scale, codes of row, deviation and column."""
    encoder = RansEncoder(cfg.model.model_dim, class_tables())
    for points, (_, _, deviations, columns) in reversed(matrices):
        tables, symbols = even_tables(deviations, columns) + (points & 1), (points >> 1) + SYMBOL_OFFSET
        for row, lanes in reversed(list(lane_steps(cfg, points.shape))):
            encoder.encode(symbols[row, lanes], tables[row, lanes])
    return encoder.finish()


def decode_points(
    cfg: Config, data: bytes, matrices: Sequence[tuple[tuple[int, ...], Sequence[np.ndarray]]]
) -> list[np.ndarray]:
    """Inverse of `encode_points`, given each matrix's shape and side; `InputError` for a stream that is damaged."""
    decoder, after = RansDecoder(data, cfg.model.model_dim, class_tables()), next_states(cfg.tcq.states)
    decoded = []
    for shape, (_, _, deviations, columns) in matrices:
        tables, points = even_tables(deviations, columns), np.empty(shape, np.int16)
        for row, lanes in lane_steps(cfg, shape):
            if not row:
                state = np.zeros(len(columns[lanes]), np.intp)
            odd = state & 1
            symbols = decoder.decode(tables[row, lanes] + odd).astype(np.intp)
            points[row, lanes] = 2 * symbols + odd - 2 * SYMBOL_OFFSET
            state = after[2 * state + (symbols & 1)]
        decoded.append(points)
    decoder.finish()
    return decoded
