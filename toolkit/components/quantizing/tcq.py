"""Trellis-coded weights: steps by sensitivity, errors fed forward along rows and columns, tables that are not sent.

The grid of weight (r, c) is scale / 2 * 2^(row code / 8) * 2^(column code / 8). A column is a path through
Ungerboeck's trellis (IEEE Trans. Inf. Theory, 1982) from state 0 at its top, whose states alternate between even and
odd points of the grid, so that a symbol k stands for a point n = 2k or 2k + 1 (trellis-coded quantization, Marcellin
and Fischer, 1990). Choosing whole columns is compatible with GPTQ, for rows do not meet in H. Where G says how they do
meet, errors go down the column as well, each survivor with a copy of its own.

The step is K * V_rr * U_cc with one K for the whole model, so that bits go where the loss feels them: with U the
Cholesky factor of H^-1, U_cc^-2 is what an error in column c costs after feedback, and so is V_rr^-2 of G in row r.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.tcq_coder import SCHEME_TCQ, deviation_codes, eighth_octaves, trellis_taps
from toolkit.components.base.failure import InputError
from toolkit.components.base.native import call, compile_native
from toolkit.components.config import Config
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.gptq import inverse_factor
from toolkit.components.quantizing.passthrough import require_finite
from toolkit.components.quantizing.tcq_engine import TCQ_ENGINE
from toolkit.components.quantizing.tcq_torch import trellis_points

LARGEST_CODE = 60
LARGEST_POINT = 4000
CURVATURE_FLOOR = 0.01  # of the mean: rows that calibration hardly saw still need finite steps


@dataclass(frozen=True, eq=False)
class Lattice:
    """What quantizing one matrix [R, C] needs whatever K is; arrays float32, in units of the grid."""

    weights: np.ndarray  # [C, R], for a grid of 1 before the codes' factors
    scale: float  # for K = 1
    row_codes: np.ndarray  # int8 [R]
    column_codes: np.ndarray  # int8 [C]
    along_columns: np.ndarray  # [C, C]: what column c takes of the errors of each column before it
    along_rows: np.ndarray | int  # [R, R]: what each row takes of the error of row r; 0 where rows do not meet
    costs: np.ndarray  # [R], of squared errors


def octave_codes(factors: np.ndarray) -> tuple[np.ndarray, float]:
    """Eighths of octaves around the geometric mean, int8 [n], and that mean, of positive float64 [n]."""
    logs = np.log2(factors)
    return np.rint(8 * (logs - logs.mean())).clip(-LARGEST_CODE, LARGEST_CODE).astype(np.int8), 2 ** float(logs.mean())


def error_shares(factor: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """[n, n]: what j takes of the error at i < j, both in steps of their own, by an upper triangular factor."""
    return np.triu(factor / factor.diagonal()[:, None] * steps[:, None] / steps, 1)


def on_grid(
    cfg: Config,
    weight: Tensor,  # [R, C]
    columns: np.ndarray,  # [C, C], U
    rows: np.ndarray,  # [R, R], V, or its diagonal [R]
    row_codes: np.ndarray,  # int8 [R]
    column_codes: np.ndarray,  # int8 [C]
    scale: float,
) -> Lattice:
    """A weight in units of the grid that codes and scale describe, and what errors cost there."""
    row_steps, column_steps = eighth_octaves(row_codes), eighth_octaves(column_codes)
    costs = np.square(row_steps / (rows.diagonal() if rows.ndim == 2 else rows))
    two_sided = cfg.tcq.two_sided and rows.ndim == 2
    return Lattice(
        weights=np.ascontiguousarray((weight.cpu().numpy() / row_steps[:, None] / column_steps).T, np.float32),
        scale=scale,
        row_codes=row_codes,
        column_codes=column_codes,
        along_columns=np.ascontiguousarray(error_shares(columns, column_steps).T, np.float32),
        along_rows=error_shares(rows, row_steps).astype(np.float32) if two_sided else 0,
        costs=(costs / costs.mean()).astype(np.float32),
    )


def make_lattice(cfg: Config, weight: Tensor, curvature: Curvature) -> Lattice:
    """The grid of a weight [R, C] by its curvature.

    Inputs that are always zero make their columns zero, and so do outputs without any gradient.
    """
    moments = curvature.outputs.diagonal() if curvature.outputs.ndim == 2 else curvature.outputs
    live = (curvature.inputs.diagonal() > 0) & moments.any()
    weight = torch.where(live, weight.double(), 0)
    columns = inverse_factor(curvature.inputs + (~live).double().diag(), cfg.tcq.input_damping).cpu().numpy()
    if curvature.outputs.ndim == 2 and moments.any():
        rows = inverse_factor(curvature.outputs, cfg.tcq.output_damping).cpu().numpy()
    else:
        moments = moments if moments.any() else torch.ones_like(moments)
        rows = moments.clamp_min(CURVATURE_FLOOR * moments.mean()).rsqrt().cpu().numpy()
    row_codes, row_scale = octave_codes(rows.diagonal() if rows.ndim == 2 else rows)
    column_codes, column_scale = octave_codes(columns.diagonal())
    return on_grid(cfg, weight, columns, rows, row_codes, column_codes, row_scale * column_scale)


def make_lattices(cfg: Config, state: dict[str, Tensor], curvatures: dict[str, Curvature]) -> dict[str, Lattice]:
    """Lattices of all matrices that have a curvature; `InputError` with the matrix's name where one is of no use."""
    lattices = {}
    for name, curvature in curvatures.items():
        for what, tensor in (
            (name, state[name]),
            (f"{name}, Hessian", curvature.inputs.sum() + curvature.outputs.sum()),
        ):
            require_finite(what, tensor)
        try:
            lattices[name] = make_lattice(cfg, state[name], curvature)
        except InputError as error:
            raise InputError(f"{name}, {error}") from None
    return lattices


def finest_scale(lattice: Lattice) -> float:
    """Leaves a twentieth of the symbols for what a weight takes of errors."""
    return 2.1 * float(np.abs(lattice.weights).max()) / LARGEST_POINT


def native_points(cfg: Config, lattice: Lattice, scale: np.float32) -> np.ndarray:
    """Points int16 [C, R] of one matrix, in C."""
    weights = lattice.weights * (2 / scale)  # becomes the errors
    points = np.empty(weights.shape, np.int16)
    call(
        compile_native(TCQ_ENGINE).tcq,
        *(*points.T.shape, cfg.tcq.states, *trellis_taps(cfg.tcq.states)),
        *(weights, lattice.along_columns, lattice.along_rows, lattice.costs, points),
    )
    return points


def torch_points(cfg: Config, lattices: dict[str, Lattice], scales: dict[str, np.float32]) -> dict[str, np.ndarray]:
    """Points int16 [C, R] of all matrices by torch, those of one shape together."""

    def stack(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to("cuda" if torch.cuda.is_available() else "cpu")

    groups: dict[tuple[int, ...], list[str]] = {}
    for name, lattice in lattices.items():
        groups.setdefault((*lattice.weights.shape, np.ndim(lattice.along_rows)), []).append(name)
    found: dict[str, np.ndarray] = {}
    for (_, _, two_sided), names in groups.items():
        group = [lattices[name] for name in names]
        points = trellis_points(
            cfg,
            stack([lattice.weights * (2 / scales[name]) for name, lattice in zip(names, group, strict=True)]),
            stack([lattice.along_columns for lattice in group]),
            stack([np.asarray(lattice.along_rows) for lattice in group]) if two_sided else None,
            stack([lattice.costs for lattice in group]),
        )
        found |= zip(names, points.clamp(-2 * LARGEST_POINT, 2 * LARGEST_POINT).short().cpu().numpy(), strict=True)
    return found


def trellis_tensor(name: str, lattice: Lattice, scale: np.float32, points: np.ndarray) -> QuantizedTensor:
    """The matrix in these points int16 [C, R], with the codes that they are read by."""
    if np.abs(points).max() > LARGEST_POINT:
        raise InputError(
            f"{name}: expected weights of at most {LARGEST_POINT} half steps, found larger ones from errors fed "
            "forward; raise tcq.input_damping and tcq.output_damping"
        )
    points = np.ascontiguousarray(points.T)
    codes = lattice.row_codes, deviation_codes(points, lattice.column_codes), lattice.column_codes
    return QuantizedTensor(SCHEME_TCQ, points, (scale.reshape(1), *codes))


def trellis_tensors(cfg: Config, lattices: dict[str, Lattice], step: float) -> dict[str, QuantizedTensor]:
    """All matrices at K = step; one whose largest weight would have no symbol, in the finest steps that have one."""
    scales = {name: np.float32(max(step * lattice.scale, finest_scale(lattice))) for name, lattice in lattices.items()}
    if cfg.tcq.engine == "torch":
        points = torch_points(cfg, lattices, scales)
        return {name: trellis_tensor(name, lattices[name], scales[name], points[name]) for name in lattices}

    def quantize(name: str) -> QuantizedTensor:
        return trellis_tensor(name, lattices[name], scales[name], native_points(cfg, lattices[name], scales[name]))

    names = sorted(lattices, key=lambda name: -lattices[name].weights.size * len(lattices[name].row_codes))
    with ThreadPoolExecutor() as pool:  # the largest first
        return dict(zip(names, pool.map(quantize, names), strict=True))


def loss_step(loss: float, num_weights: int) -> float:
    """The constant K for a rounding loss in nats per token.

    A step s = K V_rr U_cc costs K^2 / 24 by the Fisher matrix, for s^2 / 12 is the variance of its error.
    """
    return math.sqrt(24 * loss / num_weights)


def trellis_matrices(
    cfg: Config, state: dict[str, Tensor], curvatures: dict[str, Curvature]
) -> dict[str, QuantizedTensor]:
    """All matrices that have a curvature, in steps that cost the recipe's rounding loss."""
    lattices = make_lattices(cfg, state, curvatures)
    num_weights = sum(lattice.weights.size for lattice in lattices.values())
    return trellis_tensors(cfg, lattices, loss_step(cfg.tcq.rounding_loss, max(num_weights, 1)))
