"""Matrices of whole numbers, times the step of their row.

The number of a scheme, 2 to 8, is that of its bits: symbols lie in [-Q, Q] with Q = 2^(bits - 1) - 1.
"""

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor


def integer_slots(shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """By scheme the kind, dtype and shape of each stored array."""
    return {bits: [("symbols", "<i1", shape), ("scales", "<f2", shape[:1])] for bits in range(2, 9)}


def integer_tensor(bits: int, symbols: Tensor, steps: Tensor) -> QuantizedTensor:
    """Whole numbers [R, C] and steps [R, 1] that fp16 can hold."""
    return QuantizedTensor(bits, symbols.to(torch.int8).cpu().numpy(), (steps[:, 0].half().cpu().numpy(),))


def integers_fit(tensor: QuantizedTensor) -> bool:
    """Whether all symbols are in the range of their bits."""
    return int(np.abs(tensor.values.astype(np.int16)).max(initial=0)) < 2 ** (tensor.scheme - 1)
