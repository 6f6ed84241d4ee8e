"""rANS: any histogram has a table, any symbols make the round trip, code lengths are an oracle's, damage is found."""

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.components.artifact.rans import (
    TABLE_SLOTS,
    RansDecoder,
    RansEncoder,
    normalize_frequencies,
    rans_decode,
    rans_encode,
)
from toolkit.components.base.failure import InputError

HISTOGRAMS = {
    "one symbol": [7],
    "one symbol of many": [0, 0, 9, 0],
    "nothing at all": [0, 0, 0],
    "two, one of them very rare": [2**40, 1],
    "a run of rare ones": [1] * 300 + [2**39],
    "as many as there are slots": [1] * TABLE_SLOTS,
    "thousands of rare ones beside a common one": [1] * 3000 + [2**30],
    "equal ones that do not divide the slots": [5] * 3,
    "pentanary": [132, 156, 424, 156, 132],
    "geometric": [2**n for n in range(40)],
}


def code(symbols: np.ndarray, lanes: int) -> tuple[bytes, np.ndarray]:
    """The stream of symbols under the table of their own counts, and the table."""
    frequencies = normalize_frequencies(np.bincount(symbols)[None])
    return rans_encode([symbols], list(frequencies), lanes), frequencies


def decode(stream: bytes, count: int, lanes: int, frequencies: np.ndarray) -> np.ndarray:
    (symbols,) = rans_decode(stream, [count], list(frequencies), lanes)
    return symbols


def ideal_bytes(counts: np.ndarray) -> float:
    """Order-0 entropy."""
    seen = counts[counts > 0]
    return float(-(seen * np.log2(seen / seen.sum())).sum() / 8)


@pytest.mark.parametrize("counts", HISTOGRAMS.values(), ids=HISTOGRAMS.keys())
def test_every_histogram_has_a_valid_table(counts: list[int]) -> None:
    (table,) = normalize_frequencies(np.array([counts])).astype(np.int64)
    assert table.sum() == TABLE_SLOTS
    assert (table[np.array(counts) > 0] >= 1).all()
    if any(counts):
        assert not table[np.array(counts) == 0].any()


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60).filter(any))
def test_a_table_costs_little_more_than_the_entropy(counts: list[int]) -> None:
    """What rare symbols get too much is missing elsewhere: less than a slot for each symbol."""
    (table,) = normalize_frequencies(np.array([counts]))
    seen = np.array(counts) > 0
    used, ideal = table[seen] / TABLE_SLOTS, np.array(counts)[seen] / sum(counts)
    assert (ideal * np.log(ideal / used)).sum() < len(counts) / TABLE_SLOTS


def test_tables_of_one_call_do_not_depend_on_each_other() -> None:
    rows = np.random.default_rng(0).integers(0, 1000, (20, 31))
    together = normalize_frequencies(rows)
    assert together.dtype == np.uint32
    for row, table in zip(rows, together, strict=True):
        assert (normalize_frequencies(row[None])[0] == table).all()


def test_more_symbols_than_slots_are_an_error() -> None:
    with pytest.raises(InputError, match="at most 16384 symbols"):
        normalize_frequencies(np.ones((1, TABLE_SLOTS + 1), int))


@given(st.data())
@settings(deadline=None)
def test_any_symbols_under_any_tables_make_the_round_trip(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    tables, levels, lanes = (data.draw(st.integers(1, limit)) for limit in (5, 70, 40))
    sizes = data.draw(st.lists(st.integers(0, 100), min_size=tables, max_size=tables))
    counts = rng.integers(0, 2 ** rng.integers(1, 40, (tables, levels)))
    counts[np.arange(tables), rng.integers(0, levels, tables)] += 1
    frequencies = normalize_frequencies(counts)
    # Rare symbols as often as common ones: code lengths do not matter here, and edges do.
    arrays = [rng.choice(np.flatnonzero(row), size) for row, size in zip(frequencies, sizes, strict=True)]
    decoded = rans_decode(rans_encode(arrays, list(frequencies), lanes), sizes, list(frequencies), lanes)
    for ours, theirs in zip(arrays, decoded, strict=True):
        assert (ours == theirs).all()
        assert theirs.dtype == np.uint16


@pytest.mark.parametrize("counts", HISTOGRAMS.values(), ids=HISTOGRAMS.keys())
def test_symbols_of_every_histogram_make_the_round_trip(counts: list[int]) -> None:
    frequencies = normalize_frequencies(np.array([counts]))
    rng = np.random.default_rng(0)
    symbols = rng.choice(np.flatnonzero(frequencies[0]), 5000)
    assert (decode(rans_encode([symbols], list(frequencies), 64), 5000, 64, frequencies) == symbols).all()


def test_steps_of_any_width_in_any_order_make_the_round_trip() -> None:
    """As in a trellis, whose table depends on the symbol before: a lane a column, matrices of different sizes."""
    rng = np.random.default_rng(0)
    frequencies = normalize_frequencies(rng.integers(1, 100, (2, 9)))
    steps = [rng.integers(0, 9, width) for width in rng.integers(0, 17, 400)]

    def tables(before: np.ndarray, width: int) -> np.ndarray:
        return np.resize(np.append(before % 2, [0]), width)

    encoder = RansEncoder(16, frequencies)
    for before, symbols in reversed(list(zip([steps[-1], *steps], steps, strict=False))):
        encoder.encode(symbols, tables(before, len(symbols)))
    decoder = RansDecoder(encoder.finish(), 16, frequencies)
    before = steps[-1]
    for symbols in steps:
        before = decoder.decode(tables(before, len(symbols)))
        assert (before == symbols).all()
    decoder.finish()


def gaussian_symbols(levels: int, count: int) -> np.ndarray:
    drawn = np.random.default_rng(levels).normal(levels // 2, levels / 8, count)
    return drawn.round().clip(0, levels - 1).astype(np.uint8)


@pytest.mark.parametrize("levels", [5, 16, 64])
def test_the_length_is_the_entropy_and_three_bytes_a_lane(levels: int) -> None:
    symbols = gaussian_symbols(levels, 1_000_000)
    stream, frequencies = code(symbols, 256)
    entropy_bytes = ideal_bytes(np.bincount(symbols))
    assert 0 < len(stream) - entropy_bytes < 0.0002 * entropy_bytes + 4 * 256
    assert (decode(stream, len(symbols), 256, frequencies) == symbols).all()


@pytest.mark.parametrize("levels", [5, 16, 64])
def test_the_length_is_that_of_constriction(levels: int) -> None:
    symbols = gaussian_symbols(levels, 40_000)
    stream, frequencies = code(symbols, 1)
    model = constriction.stream.model.Categorical(frequencies[0] / TABLE_SLOTS, perfect=False)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols.astype(np.int32), model)
    assert abs(len(stream) - coder.num_bits() / 8) < 8


def test_a_symbol_that_its_table_lacks_is_an_error() -> None:
    frequencies = normalize_frequencies(np.array([[3, 0, 1]]))
    with pytest.raises(InputError, match="expected symbols that their tables have"):
        rans_encode([np.array([0, 1, 2])], list(frequencies), 4)


def test_tables_that_do_not_fill_their_slots_are_refused() -> None:
    with pytest.raises(InputError, match="expected tables of 16384 slots"):
        RansDecoder(bytes(8), 1, np.array([[TABLE_SLOTS - 1, 2]]))


def test_no_symbols_take_the_states_alone() -> None:
    frequencies = normalize_frequencies(np.array([[1, 1]]))
    stream = rans_encode([np.empty(0, int)], list(frequencies), 3)
    assert len(stream) == 12
    assert len(decode(stream, 0, 3, frequencies)) == 0


def test_every_cut_and_every_addition_is_an_error() -> None:
    symbols = gaussian_symbols(16, 400)
    stream, frequencies = code(symbols, 8)
    for damaged in (*(stream[:length] for length in range(len(stream))), stream + b"\0", stream + b"\0\0"):
        with pytest.raises(InputError, match=r"^rANS: expected"):
            decode(damaged, 400, 8, frequencies)


def test_a_flipped_bit_is_an_error_or_other_symbols_but_nothing_else() -> None:
    """A stream has no check of its own beyond its end: the artifact's checksum is what finds damage."""
    symbols = gaussian_symbols(16, 400)
    stream, frequencies = code(symbols, 8)
    errors = 0
    for bit in range(8 * len(stream)):
        damaged = bytearray(stream)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert (decode(bytes(damaged), 400, 8, frequencies) != symbols).any()
        except InputError:
            errors += 1
    assert errors > 0.99 * 8 * len(stream)
