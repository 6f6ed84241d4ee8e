"""Weights to integers with a scale per row: GPTQ with SDClip, the plain int8 of the first baseline, or HybridQuant."""

import torch
from torch import Tensor

from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_FP32, QuantizedTensor
from toolkit.components.base.failure import InputError
from toolkit.components.base.fp16 import SMALLEST_STEP
from toolkit.components.config import Config
from toolkit.components.model.gpt import parameter_kind
from toolkit.components.model.levels import hybrid_levels
from toolkit.components.quantizing.gptq import gptq_symbols, is_quantized, round_symbols
from toolkit.components.quantizing.hybrid import level_tensor


def sd_clip_scale(weight: Tensor, clip_sigmas: float, q_max: int) -> Tensor:
    """SDClip (#1394): a row's largest symbol stands for k deviations (n - 1); [R, C] -> steps [R, 1], rounded to fp16.

    The deviation says nothing about the size of a row that is nearly constant; there the largest weight counts.
    """
    columns = weight.size(1)
    clip = clip_sigmas * weight.std(1, correction=min(columns - 1, 1), keepdim=True)
    clip = torch.where(clip > weight.mean(1, keepdim=True).abs(), clip, weight.abs().amax(1, keepdim=True))
    return (clip / q_max).clamp_min(SMALLEST_STEP).half().float()


def percentile_scale(weight: Tensor, percentile: float, q_max: int) -> Tensor:
    """B0 (#1): a row's largest symbol stands for a percentile, at least 1; [R, C] -> steps [R, 1], rounded to fp16."""
    clip = torch.quantile(weight.abs(), percentile / 100, dim=1, keepdim=True)
    return (clip.clamp_min(1) / q_max).half().float()


def require_finite(name: str, tensor: Tensor) -> None:
    """`InputError` naming the tensor unless all of it is finite."""
    others = int((~tensor.isfinite()).sum())
    if others:
        raise InputError(
            f"{name}: expected finite numbers below 65,504, found {others} others of {tensor.numel()}; "
            "lower the learning rates"
        )


def quantize_matrix(cfg: Config, name: str, weight: Tensor, hessian: Tensor | None) -> QuantizedTensor:
    """Symbols and scales of weight fp32 [R, C]; rounds to nearest where there is no Hessian."""
    embed = parameter_kind(name) == "embed"
    bits = cfg.quantize.embed_bits if embed else cfg.quantize.matrix_bits
    q_max = 2 ** (bits - 1) - 1
    if cfg.quantize.method == "percentile":
        scale = percentile_scale(weight, cfg.quantize.clip_percentile, q_max)
    else:
        clip_sigmas = cfg.quantize.embed_clip_sigmas if embed else cfg.quantize.matrix_clip_sigmas
        scale = sd_clip_scale(weight, clip_sigmas, q_max)
    require_finite(f"{name}, scales", scale)
    if cfg.quantize.method == "percentile" or hessian is None:
        symbols = round_symbols(weight, scale, q_max)
    else:
        require_finite(f"{name}, Hessian", hessian)
        try:
            symbols = gptq_symbols(weight, hessian, scale, q_max, cfg.quantize.damping, cfg.quantize.block_size)
        except InputError as error:
            raise InputError(f"{name}, {error}") from None
    return QuantizedTensor(bits, symbols.to(torch.int8).cpu().numpy(), (scale[:, 0].half().cpu().numpy(),))


def quantize_weights(cfg: Config, state: dict[str, Tensor], hessians: dict[str, Tensor]) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict in the form it is stored in; `hessians` as `collect_hessians` gives them, or empty.

    Small tensors become fp16, but vectors and scalars, which control the network, stay fp32; HybridQuant makes these
    fp16 as well. With trellis coding all tensors count as small that `tcq_artifact` hands over. Raises `InputError`
    with the tensor's name where a number is not finite, or too large for fp16.
    """
    quantized = {}
    for name, tensor in state.items():
        weight = tensor.detach().float()
        require_finite(name, weight)
        if cfg.quantize.method == "hybrid":
            levels = hybrid_levels(cfg, name, weight)
            if levels:
                require_finite(f"{name}, as fp16", weight.half())
                quantized[name] = level_tensor(weight, levels)
                continue
        elif cfg.quantize.method != "tcq" and is_quantized(cfg, name, weight):
            quantized[name] = quantize_matrix(cfg, name, weight, hessians.get(name))
            continue
        short = weight.ndim >= 2 or cfg.quantize.method == "hybrid"
        if short:
            weight = weight.half()
            require_finite(name, weight)
        quantized[name] = QuantizedTensor(SCHEME_FP16 if short else SCHEME_FP32, weight.cpu().numpy().copy())
    return quantized
