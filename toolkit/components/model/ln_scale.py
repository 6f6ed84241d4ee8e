"""LN scale: what a branch reads is damped with depth (#1218)."""

from typing import Any

from torch import Tensor

from toolkit.components.config import Config


def damp(cfg: Config, block: Any, x: Tensor) -> Tensor:
    """x / sqrt(layer + 1), for the layer of a block counted from 0."""
    if not cfg.model.ln_scale:
        return x
    return x * (block.layer + 1) ** -0.5
