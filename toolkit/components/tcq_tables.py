"""Tables of the trellis coder, computed alike on both sides from whole numbers."""

import math

import numpy as np

from toolkit.components.rans import normalize_frequencies

CLASSES = 44  # of a symbol's deviation, a quarter of an octave each
FIRST_CLASS = -16  # deviation 2^-4 of a step
SYMBOL_OFFSET = 512  # symbols are -512 to 511


def eighth_octaves(codes: np.ndarray) -> np.ndarray:
    """2^(code / 8), float64."""
    codes = codes.astype(np.int32)
    return np.ldexp(np.array([2.0 ** (i / 8) for i in range(8)])[codes & 7], codes >> 3)


def support(index: int) -> int:
    return math.ceil(8 * 2 ** ((index + FIRST_CLASS) / 4)) + 2


def class_tables() -> np.ndarray:
    """Widths uint32 [2 * CLASSES, 1024]: a Gaussian's share of each symbol, even points then odd ones in turn."""
    edges = np.arange(-SYMBOL_OFFSET, SYMBOL_OFFSET + 1) - 0.5
    counts = np.zeros((2 * CLASSES, 2 * SYMBOL_OFFSET), np.int64)
    for i in range(CLASSES):
        deviation = 2 ** ((i + FIRST_CLASS) / 4 + 1 / 16)
        most = min(support(i), SYMBOL_OFFSET - 1)
        for odd in (0, 1):
            cdf = np.array([math.erf((edge + odd / 2) / deviation / math.sqrt(2)) for edge in edges])
            shares = np.rint(np.diff(cdf) * 2**30).astype(np.int64)
            inside = np.abs(np.arange(-SYMBOL_OFFSET, SYMBOL_OFFSET)) <= most
            counts[2 * i + odd] = np.where(inside, np.maximum(shares, 1), 0)
    return normalize_frequencies(counts)


def class_indices(row_codes: np.ndarray, column_codes: np.ndarray) -> np.ndarray:
    """Class by row and column, int64 [R, C]."""
    octaves = row_codes.astype(np.int64)[:, None] - column_codes
    return ((octaves >> 1) - FIRST_CLASS).clip(0, CLASSES - 1)


def row_deviations(points: np.ndarray, column_codes: np.ndarray) -> np.ndarray:
    """Codes of each row's deviation in its own steps, int8 [R]."""
    steps = eighth_octaves(column_codes)
    symbols = points >> 1
    variance = ((points / 2 * steps) ** 2).mean(1) - (steps**2).mean() / 12
    codes = np.rint(8 * np.log2(np.maximum(variance, 2.0**-16)) / 2)
    # Symbols beyond a class's support need a wider one.
    reach = np.array([support(i) for i in range(CLASSES)])
    needed = 2 * (np.searchsorted(reach, np.abs(symbols)) + FIRST_CLASS) + column_codes
    return np.maximum(codes, needed.max(1)).astype(np.int8)
