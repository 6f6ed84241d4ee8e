"""Round to nearest in rows that are clipped at a percentile of their magnitudes: the first baseline (#1)."""

import torch
from torch import Tensor

from toolkit.components.artifact.integers import integer_tensor
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.config import Config
from toolkit.components.quantizing.passthrough import large_matrices, require_finite
from toolkit.components.quantizing.rounding import round_symbols, symbol_bits


def percentile_scale(weight: Tensor, percentile: float, q_max: int) -> Tensor:
    """A row's largest symbol stands for a percentile, at least 1; [R, C] -> steps [R, 1], rounded to fp16."""
    clip = torch.quantile(weight.abs(), percentile / 100, dim=1, keepdim=True)
    return (clip.clamp_min(1) / q_max).half().float()


def percentile_matrix(cfg: Config, name: str, weight: Tensor) -> QuantizedTensor:
    """Symbols and steps of a weight float32 [R, C]."""
    bits = symbol_bits(cfg, name)
    q_max = 2 ** (bits - 1) - 1
    scale = percentile_scale(weight, cfg.quantize.clip_percentile, q_max)
    require_finite(f"{name}, scales", scale)
    return integer_tensor(bits, round_symbols(weight, scale, q_max), scale)


def percentile_matrices(cfg: Config, state: dict[str, Tensor]) -> dict[str, QuantizedTensor]:
    return {name: percentile_matrix(cfg, name, weight) for name, weight in large_matrices(cfg, state)}
