"""The coded stream of trellis points: round trips, tables from whole numbers, sizes near the entropy, damage."""

import math

import numpy as np
import pytest

from toolkit.components.artifact.rans import TABLE_SLOTS
from toolkit.components.artifact.tcq_coder import (
    CLASSES,
    SYMBOL_OFFSET,
    class_reach,
    class_tables,
    decode_points,
    deviation_codes,
    eighth_octaves,
    encode_points,
    even_tables,
    next_states,
    trellis_taps,
)
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.tcq import Tcq

Matrix = tuple[np.ndarray, tuple[np.ndarray, ...]]
NOTHING = np.empty(0)


def config(states: int = 8) -> Config:
    return Config(
        model=Model(model_dim=16, num_heads=2, num_kv_heads=2), quantize=Quantize(method="tcq"), tcq=Tcq(states=states)
    )


def trellis_matrix(shape: tuple[int, int], deviation: float, states: int = 8, seed: int = 0) -> Matrix:
    """Points that follow the trellis, of a Gaussian deviation in steps."""
    rng = np.random.default_rng(seed)
    weights = deviation * rng.standard_normal(shape)
    points, state, after = np.empty(shape, np.int16), np.zeros(shape[1], np.intp), next_states(states)
    for row in range(shape[0]):
        symbols = np.rint(weights[row] - (state & 1) / 2).astype(np.intp)
        points[row] = 2 * symbols + (state & 1)
        state = after[2 * state + (symbols & 1)]
    columns = rng.integers(-3, 4, shape[1]).astype(np.int8)
    return points, (NOTHING, NOTHING, deviation_codes(points, columns), columns)


def known(matrices: list[Matrix]) -> list[tuple[tuple[int, ...], tuple[np.ndarray, ...]]]:
    """What the decoder is given."""
    return [(points.shape, side) for points, side in matrices]


@pytest.mark.parametrize("states", [1, 4, 8, 16, 32])
def test_points_come_back(states: int) -> None:
    """Columns fewer than lanes, as many, more; one row; one column; and no matrix at all."""
    shapes = [(30, 7), (20, 16), (50, 41), (1, 33), (40, 1), (1, 1)]
    matrices = [trellis_matrix(shape, 1.7, states, i) for i, shape in enumerate(shapes)]
    for some in (matrices, matrices[:1], []):
        decoded = decode_points(config(states), encode_points(config(states), some), known(some))
        assert len(decoded) == len(some)
        for points, (original, _) in zip(decoded, some, strict=True):
            assert points.dtype == np.int16
            assert np.array_equal(points, original)


@pytest.mark.parametrize("deviation", [0.0, 0.3, 1.5, 40.0])
def test_sizes_are_near_the_entropy_at_any_rate(deviation: float) -> None:
    """Entropy given the parity of the points, for columns of many steps."""
    points, side = trellis_matrix((400, 64), deviation)
    bits = 8 * (len(encode_points(config(), [(points, side)])) - 4 * 16)
    for odd in (0, 1):
        counts = np.unique(points[points & 1 == odd], return_counts=True)[1]
        bits += (counts * np.log2(counts / counts.sum())).sum()
    assert bits / points.size < 0.03 + deviation / 500


def test_rare_large_symbols_are_coded_as_well() -> None:
    points, (_, _, _, columns) = trellis_matrix((60, 20), 1.0)
    points[7, 3] = 4000
    points[8, 3] = -4000
    matrix = points & ~1, (NOTHING, NOTHING, deviation_codes(points & ~1, columns), columns)
    assert np.array_equal(decode_points(config(1), encode_points(config(1), [matrix]), known([matrix]))[0], matrix[0])


def test_tables_are_gaussian_and_whole() -> None:
    tables = class_tables()
    assert tables.shape == (2 * CLASSES, 2 * SYMBOL_OFFSET)
    assert (tables.sum(1) == TABLE_SLOTS).all()
    for i in range(CLASSES):
        even, odd = tables[2 * i : 2 * i + 2]
        for table in (even, odd):
            reach = class_reach(i)
            assert table[SYMBOL_OFFSET - reach : SYMBOL_OFFSET + reach + 1].min() >= 1
            assert np.count_nonzero(table) == 2 * reach + 1
        deviation = 2 ** (i / 4 - 4 + 1 / 16)
        assert even[SYMBOL_OFFSET] / TABLE_SLOTS == pytest.approx(math.erf(0.5 / deviation / math.sqrt(2)), rel=0.4)
        assert abs(odd[SYMBOL_OFFSET] - odd[SYMBOL_OFFSET - 1]) <= 1  # points 1 and -1


def test_the_table_of_a_symbol_depends_on_whole_numbers_alone() -> None:
    """A quarter of an octave has two codes; classes end where tables do."""
    tables = even_tables(np.arange(-128, 128).astype(np.int8), np.array([0, 3, -128], np.int8))
    assert tables.dtype == np.intp
    assert tables[128].tolist() == [2 * 16, 2 * (16 - 2), 2 * (CLASSES - 1)]
    assert (tables[128:130, 0] == 32).all()
    assert tables[130, 0] == 34
    assert (tables.min(), tables.max()) == (0, 2 * (CLASSES - 1))


def test_factors_are_powers_of_two_to_twenty_places() -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_allclose(eighth_octaves(codes), 2.0 ** (codes / 8), rtol=2**-20)
    assert (eighth_octaves(codes[::8]) == 2.0 ** (codes[::8] / 8)).all()
    assert (np.frexp(eighth_octaves(codes))[0] * 2**21 % 1 == 0).all()


@pytest.mark.parametrize("states", [4, 8, 16, 32])
def test_the_trellis_is_ungerboecks(states: int) -> None:
    """Each state has two next states and is reached from two; its parity checks are h1 on symbols, h0 on states."""
    odd_symbol, odd_state = trellis_taps(states)
    h1, h0 = {4: (0o2, 0o5), 8: (0o4, 0o13), 16: (0o4, 0o23), 32: (0o10, 0o45)}[states]
    assert (2 * odd_symbol, 2 * odd_state + 1) == (h1, h0)
    after = next_states(states)
    assert (after[::2] != after[1::2]).all()
    assert np.bincount(after).tolist() == [2] * states


def test_damage_is_an_error_or_found_by_the_lanes() -> None:
    matrix = trellis_matrix((30, 20), 1.5)
    data = encode_points(config(), [matrix])
    for i in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[i] ^= 1 << i % 8
        with pytest.raises(InputError, match=r"^rANS: "):
            decode_points(config(), bytes(damaged), known([matrix]))
        with pytest.raises(InputError, match=r"^rANS: "):
            decode_points(config(), data[:i], known([matrix]))
    points, (scale, rows, deviations, columns) = matrix
    other = [(points.shape, (scale, rows, deviations + np.int8(2), columns))]
    with pytest.raises(InputError, match=r"^rANS: "):
        decode_points(config(), data, other)
