"""HybridQuant (#1465): each class of matrix has its own number of levels, and is trained with them.

The levels of a weight are those of its row: an even number L are steps of max|w| / (L / 2), five (pentanary) are told
apart by thresholds at 0.7 and 1.4 times the mean |w| and then scaled by least squares. Training sees the weights as
they will be stored and passes gradients straight through; the symbols are coded by rANS, a table a tensor.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.quantized import SMALLEST_STEP, QuantizedTensor
from toolkit.components.rans import normalize_frequencies, rans_decode, rans_encode

LANES = 256  # three bytes each
PENTANARY_THRESHOLD = 0.7  # in mean |w|; the second threshold is twice as far


def hybrid_levels(cfg: Config, name: str, weight: Tensor) -> int:
    """Levels of a weight by its state-dict name; 0 for what stays fp16."""
    if weight.numel() <= cfg.quantize.passthrough_max_numel:
        return 0
    if name.endswith(("c_q.weight", "c_k.weight")):
        return cfg.hybrid.qk_levels
    if name.endswith(("c_v.weight", "attn.proj.weight")):
        return cfg.hybrid.vo_levels
    if name.endswith("mlp.fc.weight"):
        return cfg.hybrid.up_levels
    if name.endswith("mlp.proj.weight"):
        return cfg.hybrid.down_levels
    return cfg.hybrid.embed_levels if name.endswith(("emb.weight", "embed.weight")) else 0


def quantize_levels(weight: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Symbols [R, C], whole numbers of [-(L // 2), (L - 1) // 2], and steps [R, 1], both fp32; steps rounded to fp16.

    A row of zeros gives zeros. Where L is even, the largest weight loses a level if it is positive, as in #1465.
    """
    weight = weight.float()
    magnitude = weight.abs()
    if levels == 5:
        threshold = PENTANARY_THRESHOLD * magnitude.mean(1, keepdim=True)
        symbols = weight.sign() * ((magnitude > threshold).float() + (magnitude > 2 * threshold).float())
        step = (weight * symbols).sum(1, keepdim=True) / symbols.square().sum(1, keepdim=True).clamp_min(1)
    else:
        step = magnitude.amax(1, keepdim=True) / (levels // 2)
    step = step.clamp_min(SMALLEST_STEP).half().float()
    if levels != 5:
        symbols = (weight / step).round().clamp(-(levels // 2), levels // 2 - 1)
    return symbols, step


def straight_through(weight: Tensor, levels: int) -> Tensor:
    """The weight as it will be stored, with the gradient of the weight as it is."""
    with torch.no_grad():
        symbols, step = quantize_levels(weight, levels)
        change = symbols * step - weight
    return weight + change


def level_tensor(weight: Tensor, levels: int) -> QuantizedTensor:
    """A matrix [R, C] in the scheme of so many levels, with the table of its symbols."""
    symbols, step = quantize_levels(weight, levels)
    values = symbols.to(torch.int8).cpu().numpy()
    counts = np.bincount(values.ravel() + np.int64(levels // 2), minlength=levels)
    table = normalize_frequencies(counts[None])[0].astype("<u2")
    return QuantizedTensor(-levels, values, (step[:, 0].half().cpu().numpy(), table))


def encode_levels(matrices: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]]) -> bytes:
    """The stream of symbols int8 [R, C], each matrix with its side: steps and table."""
    symbols = [values.ravel() + np.int16(len(table) // 2) for values, (_, table) in matrices]
    return rans_encode(symbols, [table for _, (_, table) in matrices], LANES)


def decode_levels(data: bytes, matrices: Sequence[tuple[tuple[int, ...], Sequence[np.ndarray]]]) -> list[np.ndarray]:
    """Inverse of `encode_levels`, given each matrix's shape and side.

    `InputError` for a stream that is damaged or cut short, or under a table that does not sum to 2^14.
    """
    sizes = [int(np.prod(shape)) for shape, _ in matrices]
    arrays = rans_decode(data, sizes, [table for _, (_, table) in matrices], LANES)
    return [
        (array.astype(np.int16) - len(table) // 2).astype(np.int8).reshape(shape)
        for array, (shape, (_, table)) in zip(arrays, matrices, strict=True)
    ]
