"""The search for steps of trellis-coded weights that fill a size."""

import math
import time
from collections.abc import Callable

import numpy as np
from torch import Tensor

from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.tcq_coder import eighth_octaves
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.passthrough import with_passthrough
from toolkit.components.quantizing.tcq import LARGEST_POINT, Lattice, finest_scale, make_lattices, trellis_tensors

FILL_BYTES = 2000  # as much may stay free below the target
MOST_ATTEMPTS = 12


def fill_target(
    cfg: Config,
    state: dict[str, Tensor],
    curvatures: dict[str, Curvature],
    code_bytes: int,
    log: Callable[[str], None],
) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict, in steps such that the artifact fills the target together with the code."""
    lattices = make_lattices(cfg, state, curvatures)

    def attempt(step: float) -> tuple[dict[str, QuantizedTensor], int]:
        quantized = with_passthrough(cfg, trellis_tensors(cfg, lattices, step), state)
        return quantized, len(encode_artifact(cfg, quantized))

    finest = [finest_scale(lattice) / lattice.scale for lattice in lattices.values() if lattice.weights.any()] or [1.0]
    bounds = min(finest), LARGEST_POINT * max(finest)  # all weights have as fine steps as they can; all are 0
    room = cfg.artifact.target_bytes - cfg.artifact.margin_bytes - code_bytes
    return fill(attempt, size_model(lattices), bounds, room, cfg.artifact.fill_seconds, log)


def size_model(lattices: dict[str, Lattice]) -> Callable[[float], float]:
    """Bytes of all matrices by log2 K, nearly.

    A Gaussian weight of deviation sigma in steps takes close to log2(1 + 2 pi e sigma^2) / 2 bits: right at both ends.
    """
    variances, counts = [], []
    for lattice in lattices.values():
        row_variances = np.square(lattice.weights * eighth_octaves(lattice.column_codes)[:, None]).mean(0)
        rows = np.rint(4 * np.log2(row_variances / lattice.scale**2 + 1e-30)).astype(int)
        octaves, number = np.unique(rows[:, None] - lattice.column_codes, return_counts=True)
        variances.append(2.0 ** (octaves / 4))
        counts.append(number)
    variance, count = np.concatenate(variances), np.concatenate(counts)
    return lambda octave: count @ np.log2(1 + 2 * math.pi * math.e * variance * 4.0**-octave) / 16


def fill(
    attempt: Callable[[float], tuple[dict[str, QuantizedTensor], int]],  # tensors and bytes of their artifact, by K
    predict: Callable[[float], float],  # bytes, but for a constant, by log2 K
    bounds: tuple[float, float],  # finest and loosest K
    room: int,  # bytes
    seconds: float,
    log: Callable[[str], None],
) -> dict[str, QuantizedTensor]:
    """Tensors of the largest artifact found that fits, in general in the last `FILL_BYTES` of the room.

    Each attempt corrects the prediction for the next; none begins that would, by the slowest so far, end later than
    `seconds`, once there is one that fits. `InputError` where not even the loosest steps fit.
    """
    low, high = math.log2(bounds[0]), math.log2(bounds[1])
    finest, loosest = low, high
    correction, slowest, best_bytes = 0.0, 0.0, 0
    best: dict[str, QuantizedTensor] = {}
    started = time.perf_counter()
    for number in range(1, MOST_ATTEMPTS + 1):
        begun = time.perf_counter()
        late = begun - started + slowest > seconds
        if late and best:
            break
        goal = room - (0.02 * room if late else FILL_BYTES / 2) - correction
        octave = solve(predict, goal, low, high)
        if octave in (low, high) and octave not in (finest, loosest):
            octave = (low + high) / 2  # both ends are known, so the prediction was of no use
        quantized, artifact_bytes = attempt(2.0**octave)
        taken = time.perf_counter() - begun
        slowest = max(slowest, taken)
        free = room - artifact_bytes
        log(f"fill:attempt {number}: {artifact_bytes} bytes at step {2.0**octave:.6g} in {taken:.1f}s")
        if free < 0 and octave == loosest:
            raise InputError(
                f"artifact.target_bytes: expected room for the loosest steps, found {-free} bytes too few; "
                "shrink the model or the code, or raise the target"
            )
        if free >= 0 and artifact_bytes > best_bytes:
            best, best_bytes = quantized, artifact_bytes
        if 0 <= free < FILL_BYTES or (free >= 0 and octave == finest):
            break
        low, high = (octave, high) if free < 0 else (low, octave)
        correction = artifact_bytes - predict(octave)
    if not best:
        raise InputError(f"artifact.target_bytes: expected steps that fit, found none in {number} attempts")
    return best


def solve(predict: Callable[[float], float], goal: float, low: float, high: float) -> float:
    """Where a falling function comes down to a goal, within bounds."""
    if predict(low) <= goal:
        return low
    if predict(high) >= goal:
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if predict(middle) > goal else (low, middle)
    return high
