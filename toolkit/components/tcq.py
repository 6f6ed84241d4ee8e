"""Trellis-coded weights: steps by sensitivity, errors fed forward along rows and columns, tables that are not sent.

The grid of weight (r, c) is scale / 2 * 2^(row code / 8) * 2^(column code / 8). A column is a path through
Ungerboeck's trellis (IEEE Trans. Inf. Theory, 1982) from state 0 at its top, whose states alternate between even and
odd points of the grid, so that a symbol k stands for a point n = 2k or 2k + 1 (trellis-coded quantization, Marcellin
and Fischer, 1990). Choosing whole columns is compatible with GPTQ, for rows do not meet in H. Where G says how they do
meet, errors go down the column as well, each survivor with a copy of its own.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.failure import InputError
from toolkit.components.fisher import Curvature
from toolkit.components.gptq import inverse_factor
from toolkit.components.native import compile_native
from toolkit.components.ppm_trie import call
from toolkit.components.tcq_engine import TCQ_ENGINE
from toolkit.components.tcq_tables import eighth_octaves, row_deviations

LARGEST_CODE = 127
GRADIENT_FLOOR = 0.01  # of the mean: rows that calibration hardly saw still need finite steps


@dataclass(frozen=True, eq=False)
class Lattice:
    """What quantizing one matrix [R, C] needs whatever the step; arrays float32, in units of the grid.

    `scale` is the step for K = 1 before the codes' factors. `along_rows` is empty where rows do not meet.
    """

    weights: np.ndarray  # [C, R], for a scale of 2
    scale: float
    row_codes: np.ndarray  # int8 [R]
    column_codes: np.ndarray  # int8 [C]
    along_columns: np.ndarray  # [C, C]: what column c takes of the errors of those before it
    along_rows: np.ndarray  # [R, R]: what rows take of the error of row r
    costs: np.ndarray  # [R], of squared errors


def octave_codes(factors: np.ndarray) -> tuple[np.ndarray, float]:
    """Eighths of octaves around the geometric mean, int8 [n], and that mean; positive float64 [n]."""
    logs = np.log2(factors)
    return np.rint(8 * (logs - logs.mean())).clip(-LARGEST_CODE, LARGEST_CODE).astype(np.int8), 2 ** float(logs.mean())


def shares(factor: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """[n, n]: what entry j takes of the error at i < j, in units of their grids, from an upper triangular factor."""
    steps = eighth_octaves(codes)
    return np.triu(factor / factor.diagonal()[:, None] * steps[:, None] / steps, 1)


def make_lattice(cfg: Config, weight: Tensor, curvature: Curvature) -> Lattice:
    weight = weight.double().cpu()
    hessian, gradients = curvature.inputs.cpu().clone(), curvature.outputs.cpu()
    dead = hessian.diagonal() <= 0
    hessian.diagonal()[dead] = 1 
    weight[:, dead] = 0
    columns = inverse_factor(hessian, cfg.quantize.input_damping).numpy()
    column_codes, scale = octave_codes(columns.diagonal())
    if gradients.ndim == 2:
        rows = inverse_factor(gradients, cfg.quantize.output_damping).numpy()
        along_rows = None
    else:
        rows = gradients.clamp_min(GRADIENT_FLOOR * gradients.mean()).rsqrt().diag().numpy()
    if gradients.ndim == 2 and not cfg.quantize.row_steps:
        row_codes = np.zeros(len(rows), np.int8)
        row_scale = np.mean(rows.diagonal() ** -2.0) ** -0.5
    else:
        row_codes, row_scale = octave_codes(rows.diagonal())
    grid = eighth_octaves(row_codes)[:, None] * eighth_octaves(column_codes)
    costs = (eighth_octaves(row_codes) / rows.diagonal()) ** 2
    return Lattice(
        weights=np.ascontiguousarray((weight.numpy() / grid).T, np.float32),
        scale=scale * row_scale,
        row_codes=row_codes,
        column_codes=column_codes,
        along_columns=np.ascontiguousarray(shares(columns, column_codes).T, np.float32),
        along_rows=np.float32(shares(rows, row_codes)) if gradients.ndim == 2 and cfg.quantize.two_sided else np.empty((0, 0), np.float32),
        costs=np.float32(costs / costs.mean()),
    )


def trellis_taps(states: int) -> tuple[int, int]:
    """What an odd symbol and an odd state do to the next state: Ungerboeck's h1 and h0 without their lowest bit."""
    return {1: (0, 0), 4: (1, 2), 8: (2, 5), 32: (4, 18)}[states]


def trellis_points(cfg: Config, lattice: Lattice, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Points int16 [R, C] and the scale float32 [1] for the model's constant K."""
    scale = np.float32(step * lattice.scale)
    rows, columns = len(lattice.row_codes), len(lattice.column_codes)
    weights = lattice.weights * (2 / scale)
    points = np.empty((columns, rows), np.int16)
    odd_symbol, odd_state = trellis_taps(cfg.quantize.trellis_states)
    along_rows = lattice.along_rows if len(lattice.along_rows) else 0
    call(
        compile_native(TCQ_ENGINE).tcq,
        *(rows, columns, cfg.quantize.trellis_states, odd_symbol, odd_state, weights, lattice.along_columns),
        *(along_rows, lattice.costs, points),
    )
    return np.ascontiguousarray(points.T), scale.reshape(1)
