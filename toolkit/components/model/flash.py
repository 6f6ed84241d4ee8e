"""Causal attention by the fastest kernel at hand. The one place that imports FlashAttention-3."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from toolkit.components.config import Config


def flash_attention_3() -> Callable[..., Tensor] | None:
    """FlashAttention-3's kernel, or None where it is not installed."""
    try:
        from flash_attn_interface import flash_attn_func
    except ImportError:
        return None
    return flash_attn_func


def init_flash(cfg: Config, attn: Any) -> None:
    if cfg.model.flash_attention:
        attn.flash = flash_attention_3()


def attend(cfg: Config, attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention over own and earlier positions, scores scaled by D^-1/2.

    q [B, T, H, D]; k, v [B, T, Hkv, D], each shared by H / Hkv query heads; returns [B, T, H, D]. The flash kernel is
    used on CUDA only and takes this layout as it is.
    """
    if cfg.model.flash_attention and attn.flash and q.is_cuda:
        return attn.flash(q, k, v, causal=True)
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
