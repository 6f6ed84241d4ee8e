"""A trained HybridQuant matrix (#1465) as the artifact holds it."""

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.rans import normalize_frequencies
from toolkit.components.model.levels import quantize_levels


def level_tensor(weight: Tensor, levels: int) -> QuantizedTensor:
    """A matrix [R, C] in the scheme of so many levels, with the table of its symbols."""
    symbols, step = quantize_levels(weight, levels)
    values = symbols.to(torch.int8).cpu().numpy()
    counts = np.bincount(values.ravel() + np.int64(levels // 2), minlength=levels)
    table = normalize_frequencies(counts[None])[0].astype("<u2")
    return QuantizedTensor(-levels, values, (step[:, 0].half().cpu().numpy(), table))
