"""A trained HybridQuant model (#1465) as the artifact holds it."""

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.rans import normalize_frequencies
from toolkit.components.config import Config
from toolkit.components.model.levels import hybrid_levels, quantize_levels
from toolkit.components.quantizing.passthrough import require_finite


def level_tensor(weight: Tensor, levels: int) -> QuantizedTensor:
    """A matrix [R, C] in `levels` levels, with the table of its symbols."""
    symbols, step = quantize_levels(weight, levels)
    values = symbols.to(torch.int8).cpu().numpy()
    counts = np.bincount(values.ravel() + np.int64(levels // 2), minlength=levels)
    table = normalize_frequencies(counts[None])[0].astype("<u2")
    return QuantizedTensor(-levels, values, (step[:, 0].half().cpu().numpy(), table))


def level_matrices(cfg: Config, state: dict[str, Tensor]) -> dict[str, QuantizedTensor]:
    """All matrices whose class has levels."""
    matrices = {}
    for name, tensor in state.items():
        weight = tensor.detach().float()
        levels = hybrid_levels(cfg, name, weight)
        if levels:
            require_finite(f"{name}, as fp16", weight.half())
            matrices[name] = level_tensor(weight, levels)
    return matrices
