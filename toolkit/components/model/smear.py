"""Each position takes in a share of the one before it, channel by channel (SmearGate, first version, #1465)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config


def init_smear(cfg: Config, model: nn.Module) -> None:
    """Logits of the shares [model_dim]: one half each at the start."""
    if cfg.model.smear_gate:
        model.smear_gate = nn.Parameter(torch.zeros(cfg.model.model_dim))


def smear(cfg: Config, model: Any, x: Tensor) -> Tensor:
    """(1 - g) x_t + g x_{t-1}, g = sigmoid(smear_gate), for x [B, T, D]; before the first position there are zeros."""
    if not cfg.model.smear_gate:
        return x
    return torch.lerp(x, F.pad(x[:, :-1], (0, 0, 1, 0)), torch.sigmoid(model.smear_gate.to(x.dtype)))
