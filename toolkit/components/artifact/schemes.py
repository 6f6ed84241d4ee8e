"""How the artifact holds matrices, by the recipe's storage: the one place that knows all schemes.

To add a storage: a file beside this one with the slots of its schemes, and a line here in each function where it
differs from the others; where its values are coded, lines in `coders.py` as well.
"""

import numpy as np
import torch
from torch import Tensor

from toolkit.components.artifact.integers import integer_slots, integers_fit
from toolkit.components.artifact.level_coder import level_slots
from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_FP32, QuantizedTensor
from toolkit.components.artifact.tcq_coder import point_slots, point_symbols, point_weights, points_fit
from toolkit.components.config import Config


def scheme_slots(cfg: Config, shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """Schemes that a tensor may have, each with the kind, dtype and shape of the arrays that are stored for it.

    These are its values, unless they are coded, and then its side. Kinds are those of `byte_shares`.
    """
    plain = {SCHEME_FP16: [("passthrough", "<f2", shape)], SCHEME_FP32: [("passthrough", "<f4", shape)]}
    if len(shape) != 2:
        return plain
    if cfg.quantize.storage == "levels":
        return plain | level_slots(shape)
    if cfg.quantize.storage == "points":
        return plain | point_slots(shape)
    return plain | integer_slots(shape)


def numbers_fit(cfg: Config, tensor: QuantizedTensor) -> bool:
    """Whether finite numbers are such as a writer of their scheme produces."""
    if cfg.quantize.storage == "levels":
        return True
    if cfg.quantize.storage == "points":
        return not tensor.side or points_fit(tensor)
    return not tensor.side or integers_fit(tensor)


def tensor_symbols(cfg: Config, tensor: QuantizedTensor) -> np.ndarray:
    """What bytes are spent on of a tensor's values: whole numbers of its shape, or plain values."""
    if cfg.quantize.storage == "points" and tensor.side:
        return point_symbols(tensor)
    return tensor.values


def tensor_weights(cfg: Config, tensor: QuantizedTensor) -> np.ndarray:
    """The weights that a tensor stands for, float32; symbols times the step of their row, but for points."""
    if cfg.quantize.storage == "points" and tensor.side:
        return point_weights(tensor)
    weights = tensor.values.astype(np.float32)
    return weights * tensor.side[0].astype(np.float32)[:, None] if tensor.side else weights


def dequantize_weights(cfg: Config, quantized: dict[str, QuantizedTensor]) -> dict[str, Tensor]:
    """The weights that the artifact stands for, float32 on the CPU, as a state dict."""
    return {name: torch.from_numpy(tensor_weights(cfg, tensor)) for name, tensor in quantized.items()}
