"""Rotary position embedding of the leading dimensions of each head (partial RoPE; half-split pairing)."""

import torch
from torch import Tensor

from toolkit.components.config import Config


def rotary_tables(cfg: Config, length: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, 1, rope_dims / 2], on the device and in the dtype of `like`.

    Pair i turns by t * base^(-2i / r) at position t, r = rope_dims. On texts longer than in training, partial RoPE
    raises the base by (length / seq_len)^(r / (r - 2)): the slowest pair then ends where it ended in training (NTK).
    """
    rotated = cfg.model.rope_dims or cfg.model.head_dim
    base = cfg.model.rope_base
    if cfg.model.rope_dims and length > cfg.train.seq_len:
        # With a single pair the base has no effect; the maximum avoids dividing by zero there.
        base *= (length / cfg.train.seq_len) ** (rotated / max(rotated - 2, 1))
    steps = torch.arange(0, rotated, 2, dtype=torch.float32, device=like.device)
    angles = torch.outer(torch.arange(length, dtype=torch.float32, device=like.device), base ** (-steps / rotated))
    return angles.cos()[:, None].to(like.dtype), angles.sin()[:, None].to(like.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + n) of x [B, T, H, D] by the tables' angles, n = cos.size(-1); dimensions from 2n on stay."""
    first, second, rest = x.tensor_split((cos.size(-1), 2 * cos.size(-1)), dim=-1)
    return torch.cat((first * cos + second * sin, second * cos - first * sin, rest), dim=-1)
