"""U-Net skips: the first half of the layers push their outputs, the rest merge them, last in first out."""

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.context import Context
from toolkit.components.model.visits import pushes


def init_skips(cfg: Config, model: nn.Module) -> None:
    """Weights a channel and, with skip gates, logits of shares: [num_skips, model_dim], in the order of merging."""
    model.skip_weights = nn.Parameter(torch.ones(cfg.model.num_skips, cfg.model.model_dim))
    if cfg.model.skip_gates:
        model.skip_gates = nn.Parameter(torch.zeros(cfg.model.num_skips, cfg.model.model_dim))


def push_skip(cfg: Config, model: Any, depth: int, x: Tensor, ctx: Context) -> None:
    """Keep the output x of visit `depth`, counted from 0, if it is one of those that push."""
    if depth < pushes(cfg, model):
        ctx.skips.append(x)


def merge_skip(cfg: Config, model: Any, depth: int, x: Tensor, ctx: Context) -> Tensor:
    """What visit `depth` reads: x, with the last skip if it does not push and there is one left."""
    i = depth - pushes(cfg, model)
    if i < 0 or not ctx.skips:
        return x
    skip = model.skip_weights[i].to(x.dtype) * ctx.skips.pop()
    if cfg.model.skip_gates:
        return torch.lerp(skip, x, torch.sigmoid(model.skip_gates[i].to(x.dtype)))
    return x + skip
