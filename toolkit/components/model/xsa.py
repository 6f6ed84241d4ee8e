"""XSA: the last layers remove from attention's output what lies along the own position's value (#1218)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from toolkit.components.config import Config


def exclude_own_value(cfg: Config, attn: Any, y: Tensor, v: Tensor) -> Tensor:
    """Remove from y [B, T, H, D] its component along v [B, T, Hkv, D], in the last `xsa_layers` layers.

    y - (y . v^) v^ with v^ = v / |v|, for each query head with the value of its group.
    """
    if not cfg.model.xsa_layers or attn.layer < cfg.model.num_layers - cfg.model.xsa_layers:
        return y
    unit = F.normalize(v, dim=-1).unsqueeze(-2)
    grouped = y.unflatten(2, (v.size(2), -1))
    return (grouped - (grouped * unit).sum(-1, keepdim=True) * unit).flatten(2, 3)
