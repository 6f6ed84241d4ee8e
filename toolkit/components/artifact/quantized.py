"""One tensor as the artifact holds it, and what each scheme stores.

A scheme is a number, named in the artifact for every tensor:
- 16, 32: plain values, fp16 or fp32;
- 2 to 8: symbols of so many bits, [-Q, Q] with Q = 2^(bits - 1) - 1, times the step of their row, fp16;
- -L: symbols of L levels, [-(L // 2), (L - 1) // 2], times the step of their row, fp16; they lie in the coded stream
  under the tensor's own table;
- -1: points of a trellis, int16, on a grid that three arrays of codes describe (see `tcq.py`).

To add a scheme: give it a number, below zero if its symbols lie in the coded stream; list in `array_slots` the arrays
that are stored for it; turn it into weights in `dequantize_weights`. For a coded one also write a pair like
`encode_levels` and `decode_levels` of `hybrid.py`, and call it where `artifact.py` calls these.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.tcq_coder import eighth_octaves
from toolkit.components.config import Config

SCHEME_TCQ = -1
SCHEME_FP16 = 16
SCHEME_FP32 = 32


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """`values` has the tensor's shape: symbols, or plain numbers. `side` holds what `array_slots` lists besides."""

    scheme: int
    values: np.ndarray
    side: tuple[np.ndarray, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


def coded_symbols(tensor: QuantizedTensor) -> np.ndarray:
    """A tensor's values, or of a trellis, whose state knows whether a point is odd, half of each point."""
    return tensor.values >> 1 if tensor.scheme == SCHEME_TCQ else tensor.values


def allowed_schemes(cfg: Config, shape: tuple[int, ...]) -> list[int]:
    """Schemes that the recipe may have chosen for a tensor."""
    schemes = [SCHEME_FP16, SCHEME_FP32]
    if len(shape) == 2:
        if cfg.quantize.method == "hybrid":
            schemes += range(-256, -1)
        elif cfg.quantize.method == "tcq":
            schemes.append(SCHEME_TCQ)
        else:
            schemes += range(2, 9)
    return schemes


def array_slots(cfg: Config, scheme: int, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """dtype and shape of each array that is stored for a tensor: its values, unless they are coded, and its side."""
    if scheme in (SCHEME_FP16, SCHEME_FP32):
        return [(f"<f{scheme // 8}", shape)]
    if cfg.quantize.method == "tcq":
        return [("<f4", (1,)), ("<i1", shape[:1]), ("<i1", shape[:1]), ("<i1", shape[1:])]
    steps = ("<f2", shape[:1])
    if cfg.quantize.method == "hybrid":
        return [steps, ("<u2", (-scheme,))]  # and a table: the widths of the levels, for rANS
    return [("<i1", shape), steps]


def dequantize_weights(cfg: Config, quantized: dict[str, QuantizedTensor]) -> dict[str, Tensor]:
    """The weights that the artifact stands for, float32 on the CPU, as a state dict."""
    state = {}
    for name, tensor in quantized.items():
        state[name] = torch.tensor(tensor.values).float()
        if cfg.quantize.method == "tcq" and tensor.scheme == SCHEME_TCQ:
            scale, rows, _, columns = tensor.side
            grid = eighth_octaves(rows)[:, None] * eighth_octaves(columns) * (scale / 2.0)
            state[name] = torch.from_numpy(np.float32(tensor.values * grid))
        elif tensor.side:
            state[name] *= torch.from_numpy(tensor.side[0]).float()[:, None]
    return state
