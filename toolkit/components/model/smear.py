"""Each position takes in a share of the one before it, channel by channel (SmearGate, first version, #1465)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def smear(x: Tensor, gate: Tensor) -> Tensor:
    """(1 - g) x_t + g x_{t-1}, g = sigmoid(gate [D]), for x [B, T, D]; before the first position there are zeros."""
    return torch.lerp(x, F.pad(x[:, :-1], (0, 0, 1, 0)), torch.sigmoid(gate.to(x.dtype)))
