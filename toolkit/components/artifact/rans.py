"""Entropy coding with static tables: range asymmetric numeral systems (Duda, arXiv 1311.2540), many lanes at once.

A lane is a state of 32 bits, kept in [2^16, 2^32), and a table gives each symbol f of 2^14 slots. One step codes one
symbol in each of the first k lanes; a lane whose state would overflow first writes its low 16 bits. Coding runs from
the last step to the first, so that decoding runs forward, and words lie in the order in which the decoder wants them:
by step, then by lane. A stream is the final state of every lane, then the words, little-endian. Each lane costs
about three bytes over the entropy; few lanes cost time, for a step takes the same Python whatever their number.
"""

from collections.abc import Iterator

import numpy as np

from toolkit.components.base.failure import InputError

TABLE_BITS = 14
TABLE_SLOTS = 1 << 14
STATE_FLOOR = 1 << 16  # the state before the first symbol and after the last


def normalize_frequencies(counts: np.ndarray) -> np.ndarray:
    """Widths in slots, uint32 [T, A], for counts of symbols, whole numbers [T, A] from 0 up to 2^40.

    Every row sums to 2^14, and a symbol that occurs has one slot at least; a row of zeros gives all to symbol 0.
    Divisions are the only inexact step and IEEE rounds them alike everywhere, so equal counts give equal tables on
    any machine. `InputError` for a row in which more symbols occur than there are slots.
    """
    if np.count_nonzero(counts, axis=1).max(initial=0) > TABLE_SLOTS:
        raise InputError(f"rANS table: expected at most {TABLE_SLOTS} symbols that occur, found more; use fewer levels")
    tables = np.zeros(counts.shape, np.uint32)
    for row, widths in zip(counts.astype(np.int64), tables, strict=True):
        row[0] += not row.any()
        slots = np.maximum((row << TABLE_BITS) // row.sum(), row > 0)
        while missing := TABLE_SLOTS - slots.sum():
            # What a slot more or less is worth to a symbol, in bits, is close to count / (width +- 1/2).
            if missing > 0:
                slots[(row / (2 * slots + 1)).argmax()] += 1
            else:
                slots[np.where(slots > 1, row / (2 * slots - 1), np.inf).argmin()] -= 1
        widths[:] = slots
    return tables


class RansEncoder:
    """Takes the steps of a stream in reverse, the last one first."""

    def __init__(self, lanes: int, frequencies: np.ndarray) -> None:
        """`frequencies`: widths of the symbols, whole numbers [T, A], each row summing to 2^14."""
        self.states = np.full(lanes, STATE_FLOOR, np.uint32)
        self.words: list[np.ndarray] = []
        self.use_tables(frequencies)

    def use_tables(self, frequencies: np.ndarray) -> None:
        """Other tables from here on, that is, for earlier symbols."""
        widths = frequencies.astype(np.uint32)
        self.levels = widths.shape[1]
        self.widths = widths.ravel()
        self.starts = (widths.cumsum(1, np.uint32) - widths).ravel()

    def encode(self, symbols: np.ndarray, tables: np.ndarray) -> None:
        """One step: symbols [k] in the first k lanes, each under the table of its number in `tables` [k]."""
        x = self.states[: len(symbols)]
        places = tables.astype(np.intp) * self.levels + symbols
        widths = self.widths.take(places)
        if not widths.all():
            raise InputError("rANS: expected symbols that their tables have, found another; count before coding")
        full = (x >> (32 - TABLE_BITS) >= widths).nonzero()[0]
        self.words.append(x[full].astype("<u2"))
        x[full] >>= 16
        x += x // widths * (TABLE_SLOTS - widths) + self.starts.take(places)

    def finish(self) -> bytes:
        """The stream."""
        return b"".join([self.states.astype("<u4").tobytes(), *(words.tobytes() for words in reversed(self.words))])


class RansDecoder:
    """Steps of a stream from the first to the last. Raises `InputError` for a stream that is damaged or cut short."""

    def __init__(self, data: bytes, lanes: int, frequencies: np.ndarray) -> None:
        """`lanes` and `frequencies` as the encoder had them."""
        if len(data) < 4 * lanes or len(data) % 2:
            raise InputError(f"rANS: expected {lanes} states and whole words, found {len(data)} bytes")
        self.states = np.frombuffer(data, "<u4", lanes).astype(np.uint32)
        self.words = np.frombuffer(data, "<u2", offset=4 * lanes)
        self.position = 0
        self.use_tables(frequencies)

    def use_tables(self, frequencies: np.ndarray) -> None:
        """Other tables from here on; 160 KiB of memory each."""
        if (frequencies.sum(1) != TABLE_SLOTS).any():
            raise InputError(f"rANS: expected tables of {TABLE_SLOTS} slots, found others")
        # By slot: the width of its symbol, the slots of the symbol before it, and the symbol.
        symbols = np.nonzero(frequencies)[1]
        widths = frequencies[frequencies > 0].astype(np.uint32)
        self.widths = widths.repeat(widths)
        self.offsets = (np.arange(len(self.widths)) - (widths.cumsum() - widths).repeat(widths)).astype(np.uint32)
        self.symbols = symbols.astype(np.uint16).repeat(widths)

    def decode(self, tables: np.ndarray) -> np.ndarray:
        """One step: symbols uint16 [k] of the first k lanes, coded under `tables` [k]."""
        x = self.states[: len(tables)]
        slots = tables.astype(np.intp) << TABLE_BITS
        slots |= x & (TABLE_SLOTS - 1)
        x >>= TABLE_BITS
        x *= self.widths.take(slots)
        x += self.offsets.take(slots)
        low = (x < STATE_FLOOR).nonzero()[0]
        words = self.words[self.position : self.position + len(low)]
        if len(words) < len(low):
            raise InputError("rANS: expected more words, found the end of the stream; it is damaged or cut short")
        self.position += len(low)
        x[low] = x[low] << 16 | words
        return self.symbols.take(slots)

    def finish(self) -> None:
        """`InputError` unless all words were read and every lane is where the encoder began."""
        if self.position < len(self.words) or (self.states != STATE_FLOOR).any():
            raise InputError("rANS: expected the end of the stream, found more of it; it is damaged")


def rans_encode(arrays: list[np.ndarray], tables: list[np.ndarray], lanes: int) -> bytes:
    """Symbols of arrays [n], each under its own table, widths [A] that sum to 2^14; every array begins a new step."""
    encoder = RansEncoder(lanes, np.empty((0, 0)))
    first = np.zeros(lanes, np.intp)
    for symbols, table in reversed(list(zip(arrays, tables, strict=True))):
        encoder.use_tables(table[None])
        for start in reversed(range(0, len(symbols), lanes)):
            step = symbols[start : start + lanes]
            encoder.encode(step, first[: len(step)])
    return encoder.finish()


def rans_decode(data: bytes, sizes: list[int], tables: list[np.ndarray], lanes: int) -> Iterator[np.ndarray]:
    """Inverse of `rans_encode`: arrays uint16 of the given sizes, each when it is asked for.

    `InputError` for a stream that is damaged or cut short, at the latest after the last array.
    """
    decoder = RansDecoder(data, lanes, np.empty((0, 0)))
    first = np.zeros(lanes, np.intp)
    for size, table in zip(sizes, tables, strict=True):
        decoder.use_tables(table[None])
        symbols = np.empty(size, np.uint16)
        for start in range(0, size, lanes):
            step = symbols[start : start + lanes]
            step[:] = decoder.decode(first[: len(step)])
        yield symbols
    decoder.finish()
