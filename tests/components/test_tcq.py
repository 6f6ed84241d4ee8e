"""The trellis quantizer against slow references: all paths of short columns, and GPTQ where rows do not meet."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.artifact.tcq_coder import SCHEME_TCQ, next_states
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.tcq import Lattice, make_lattice, make_lattices, trellis_tensors
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.tcq import Tcq

CFG = Config(quantize=Quantize(method="tcq"))
SCALAR = replace(CFG, tcq=Tcq(states=1))


def moments(size: int, rng: np.random.Generator) -> Tensor:
    """Second moments of correlated values of unequal size, float64 [size, size]."""
    x = rng.standard_normal((4 * size, size)) @ rng.standard_normal((size, size))
    return torch.from_numpy(x.T @ x / len(x))


def problem(rows: int, columns: int, seed: int = 0, *, table: bool = False) -> tuple[Tensor, Curvature]:
    rng = np.random.default_rng(seed)
    outputs = torch.from_numpy(rng.random(rows) + 0.1) if table else moments(rows, rng)
    weight = torch.from_numpy(rng.standard_normal((rows, columns))).float()
    return weight, Curvature(moments(columns, rng), outputs, torch.tensor(1.0))


def plain_lattice(column: np.ndarray, along_rows: np.ndarray | int, costs: np.ndarray) -> Lattice:
    """One column in units of its grid, for K = 2."""
    zeros = np.zeros(len(column), np.int8)
    nothing = np.zeros((1, 1), np.float32)
    return Lattice(
        column.astype(np.float32)[None], 1.0, zeros, zeros[:1], nothing, along_rows, costs.astype(np.float32)
    )


def quantized(cfg: Config, lattice: Lattice, step: float) -> QuantizedTensor:
    return trellis_tensors(cfg, {"w": lattice}, step)["w"]


def path_cost(points: tuple[int, ...], column: np.ndarray, along_rows: np.ndarray, costs: np.ndarray) -> float:
    """What a column costs in these points, errors fed forward."""
    rest, cost = column.copy(), 0.0
    for r, point in enumerate(points):
        error = rest[r] - point
        cost += costs[r] * error**2
        rest -= error * along_rows[r]
    return cost


def paths(states: int, column: np.ndarray) -> list[tuple[int, ...]]:
    """All columns of points, near enough to the weights, that the trellis has."""
    after = next_states(states)
    found = []
    for symbols in itertools.product(range(-2, 3), repeat=len(column)):
        state, points = 0, []
        for symbol in symbols:
            points.append(2 * symbol + (state & 1))
            state = int(after[2 * state + (symbol & 1)])
        found.append(tuple(points))
    return found


@pytest.mark.parametrize("states", [1, 4, 8, 16, 32])
def test_the_path_chosen_is_the_best_of_all(states: int) -> None:
    cfg = replace(CFG, tcq=Tcq(states=states))
    rng = np.random.default_rng(states)
    for _ in range(3):
        column, costs = rng.uniform(-2, 2, 5), rng.uniform(0.5, 2, 5)
        no_shares = np.zeros((5, 5))
        best = min(paths(states, column), key=lambda points: path_cost(points, column, no_shares, costs))
        chosen = quantized(cfg, plain_lattice(column, 0, costs), 2.0).values[:, 0]
        assert tuple(chosen) == best


def test_one_survivor_feeds_its_errors_down_the_column() -> None:
    rng = np.random.default_rng(0)
    column, shares = rng.uniform(-3, 3, 40), np.triu(rng.uniform(-0.5, 0.5, (40, 40)), 1)
    points, rest = [], column.copy()
    for r in range(40):
        points.append(2 * round(rest[r] / 2))
        rest -= (rest[r] - points[r]) * shares[r]
    lattice = plain_lattice(column, shares.astype(np.float32), np.ones(40))
    assert quantized(SCALAR, lattice, 2.0).values[:, 0].tolist() == points


def test_survivors_keep_columns_of_their_own() -> None:
    """Where rows meet, Viterbi is no search of all paths; but it must not fall behind a single survivor."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        column, costs = rng.uniform(-3, 3, 64), np.ones(64)
        shares = np.triu(rng.uniform(-0.3, 0.3, (64, 64)), 1)
        lattice = plain_lattice(column, shares.astype(np.float32), costs)
        cost = {}
        for states in (1, 8):
            tensor = quantized(replace(CFG, tcq=Tcq(states=states)), lattice, 2.0)
            cost[states] = path_cost(tuple(tensor.values[:, 0]), column, shares, costs)
        assert cost[8] < cost[1]


def gptq_points(weight: Tensor, hessian: Tensor, grid: Tensor, damping: float) -> Tensor:
    """GPTQ in natural order, step by step from the inverse Hessian, rounding to even points of the grid [R, C]."""
    w = weight.double()
    inverse = torch.linalg.inv(hessian + damping * hessian.diagonal().mean() * torch.eye(len(hessian)))
    points = torch.zeros_like(w)
    for c in range(len(hessian)):
        points[:, c] = 2 * (w[:, c] / grid[:, c] / 2).round()
        error = w[:, c] - grid[:, c] * points[:, c]
        w = w - error[:, None] * inverse[c] / inverse[c, c]
        inverse = inverse - inverse[:, [c]] * inverse[[c]] / inverse[c, c]
    return points


def grid_of(tensor: QuantizedTensor) -> Tensor:
    """Half a step for each weight, float64 [R, C]."""
    scale, rows, _, columns = (torch.from_numpy(array).double() for array in tensor.side)
    return scale / 2 * 2 ** (rows / 8)[:, None] * 2 ** (columns / 8)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 6), (12, 30)])
@pytest.mark.parametrize("table", [True, False])
def test_without_a_trellis_independent_rows_are_rounded_as_by_gptq(shape: tuple[int, int], table: bool) -> None:
    weight, curvature = problem(*shape, table=table)
    if not table:
        curvature.outputs = curvature.outputs.diagonal().diag()
    tensor = quantized(SCALAR, make_lattice(SCALAR, weight, curvature), 0.1)
    expected = gptq_points(weight, curvature.inputs, grid_of(tensor), SCALAR.tcq.input_damping)
    assert np.array_equal(tensor.values, expected.numpy())


def loss_of(weight: Tensor, tensor: QuantizedTensor, curvature: Curvature) -> float:
    error = weight.double() - dequantize_weights(CFG, {"w": tensor})["w"]
    return (curvature.outputs @ error @ curvature.inputs @ error.T).trace().item()


def test_each_part_lowers_the_loss_at_equal_steps() -> None:
    weight, curvature = problem(48, 64)
    losses = []
    for tcq in (Tcq(states=1, two_sided=False), Tcq(states=1), Tcq(states=4), Tcq(states=32)):
        cfg = replace(CFG, tcq=tcq)
        losses.append(loss_of(weight, quantized(cfg, make_lattice(cfg, weight, curvature), 0.5), curvature))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]


def test_steps_are_finer_where_errors_cost_more() -> None:
    weight = torch.ones(2, 2)
    curvature = Curvature(
        torch.tensor([1.0, 4.0]).diag().double(), torch.tensor([1.0, 16.0]).double(), torch.tensor(1.0)
    )
    cfg = replace(CFG, tcq=Tcq(input_damping=1e-9))
    lattice = make_lattice(cfg, weight, curvature)
    assert np.diff(lattice.column_codes) == -8
    assert np.diff(lattice.row_codes) == -16


def test_weights_are_those_of_the_grid() -> None:
    weight, curvature = problem(7, 9, table=True)
    tensor = quantized(CFG, make_lattice(CFG, weight, curvature), 0.3)
    assert tensor.scheme == SCHEME_TCQ
    assert tensor.values.dtype == np.int16
    expected = torch.from_numpy(tensor.values) * grid_of(tensor)
    torch.testing.assert_close(dequantize_weights(CFG, {"w": tensor})["w"].double(), expected, rtol=1e-5, atol=0)


def test_a_dead_input_and_a_row_of_zeros_get_zeros() -> None:
    weight, curvature = problem(6, 10)
    live = torch.arange(10) != 4
    curvature.inputs[~live] = curvature.inputs[:, ~live] = 0
    tensor = quantized(SCALAR, make_lattice(SCALAR, weight, curvature), 0.1)
    assert not tensor.values[:, 4].any()
    assert tensor.values[:, live].any(0).all()
    weight[2] = 0
    curvature.outputs = torch.ones(6).double()
    assert not quantized(SCALAR, make_lattice(SCALAR, weight, curvature), 0.1).values[2].any()


@pytest.mark.parametrize("table", [True, False])
def test_a_matrix_that_moves_no_loss_becomes_zeros(table: bool) -> None:
    weight, curvature = problem(4, 6, table=table)
    curvature.outputs *= 0
    assert not quantized(CFG, make_lattice(CFG, weight, curvature), 0.1).values.any()


def test_numbers_that_are_not_finite_are_errors_that_name_the_matrix() -> None:
    weight, curvature = problem(4, 6)
    weight[1, 2] = torch.nan
    with pytest.raises(InputError, match=r"^w: expected finite numbers"):
        make_lattices(CFG, {"w": weight}, {"w": curvature})
    weight, curvature = problem(4, 6)
    curvature.outputs[0, 0] = torch.inf
    with pytest.raises(InputError, match=r"^w, Hessian: expected finite numbers"):
        make_lattices(CFG, {"w": weight}, {"w": curvature})


def test_steps_are_never_too_fine_for_the_tables() -> None:
    weight, curvature = problem(4, 6)
    lattice = make_lattice(CFG, weight, curvature)
    first, second = (quantized(CFG, lattice, step) for step in (1e-6, 1e-9))
    assert np.array_equal(first.values, second.values)
    assert 3500 < np.abs(first.values).max() <= 4000
    assert loss_of(weight, first, curvature) < 1e-4


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_errors_that_grow_beyond_the_tables_are_an_error(engine: str) -> None:
    cfg = replace(CFG, tcq=Tcq(states=1, engine=engine))
    column, shares = np.array([0.8, 0.8]), np.array([[0, 1e6], [0, 0]], np.float32)
    with pytest.raises(
        InputError, match=r"^w: expected weights of at most 4000 half steps, found larger ones from errors"
    ):
        quantized(cfg, plain_lattice(column, shares, np.ones(2)), 2.0)


@pytest.mark.parametrize("states", [1, 4, 8, 32])
@pytest.mark.parametrize("two_sided", [True, False])
def test_torch_finds_the_points_that_c_finds(states: int, two_sided: bool) -> None:
    """Matrices of one shape, of another, and tables among them."""
    problems = {f"w{i}": problem(*shape, i) for i, shape in enumerate([(12, 30), (30, 12), (12, 30), (12, 1), (1, 5)])}
    problems["table"] = problem(12, 30, 9, table=True)
    cfg = replace(CFG, tcq=Tcq(states=states, two_sided=two_sided))
    lattices = {name: make_lattice(cfg, *problem) for name, problem in problems.items()}
    found = trellis_tensors(replace(cfg, tcq=replace(cfg.tcq, engine="torch")), lattices, 0.3)
    for name, tensor in trellis_tensors(cfg, lattices, 0.3).items():
        assert np.array_equal(found[name].values, tensor.values)
        assert all(map(np.array_equal, found[name].side, tensor.side))


def test_equal_matrices_give_equal_bits() -> None:
    """In threads of any order."""
    problems = {f"w{i}": problem(20 + i, 30, i) for i in range(6)}
    lattices = {name: make_lattice(CFG, *problem) for name, problem in problems.items()}
    first = trellis_tensors(CFG, lattices, 0.2)
    for name, tensor in trellis_tensors(CFG, dict(reversed(lattices.items())), 0.2).items():
        assert np.array_equal(tensor.values, first[name].values)
        assert all(map(np.array_equal, tensor.side, first[name].side))
