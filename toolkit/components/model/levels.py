"""HybridQuant (#1465): each class of matrix has its own number of levels, and is trained with them.

The levels of a weight are those of its row: an even number L are steps of max|w| / (L / 2), five (pentanary) are told
apart by thresholds at 0.7 and 1.4 times the mean |w| and then scaled by least squares. Training sees the weights as
they will be stored and passes gradients straight through.
"""

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.components.base.fp16 import SMALLEST_STEP
from toolkit.components.config import Config

PENTANARY_THRESHOLD = 0.7  # in mean |w|; the second threshold is twice as far


def hybrid_levels(cfg: Config, name: str, weight: Tensor) -> int:
    """Levels of a weight by its state-dict name; 0 for what stays fp16."""
    if weight.numel() <= cfg.quantize.passthrough_max_numel:
        return 0
    return next((levels for ending, levels in cfg.hybrid.levels_by_ending if name.endswith(ending)), 0)


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


def init_levels(cfg: Config, model: nn.Module) -> None:
    """Tell each linear map of the whole model its levels; tables are rounded after training alone."""
    if cfg.quantize.method == "hybrid":
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear):
                module.levels = hybrid_levels(cfg, f"{name}.weight", module.weight)  # type: ignore[assignment]


def as_stored(cfg: Config, linear: Any, weight: Tensor) -> Tensor:
    """What a linear map multiplies by: in training the weight as it will be stored, else the weight as it is."""
    if cfg.quantize.method == "hybrid" and linear.levels and linear.training:
        return straight_through(weight, linear.levels)
    return weight


def stop_rounding(cfg: Config, model: nn.Module) -> None:
    """From here on the model takes its weights as they are, for these have been stored."""
    if cfg.quantize.method == "hybrid":
        model.eval()


def straight_through(weight: Tensor, levels: int) -> Tensor:
    """The weight as it will be stored, with the gradient of the weight as it is."""
    with torch.no_grad():
        symbols, step = quantize_levels(weight, levels)
        change = symbols * step - weight
    return weight + change
