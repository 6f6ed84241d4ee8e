"""The methods whose settings are those of `[quantize]` alone: integers with one step a row."""

import math
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

from toolkit.components.settings.method import Method, PlannedBits, PlannedTensor

if TYPE_CHECKING:
    from toolkit.components.config import Config

STEP_BYTES = 2


def gaussian_bits(levels: int, clip_sigmas: float) -> float:
    """Entropy in bits of clamp(round(w / s), -levels, levels) for w ~ N(0, 1), s = clip_sigmas / levels.

    Where steps are fine and nothing is clipped (SDClip of #1394), it approaches log2(levels / clip_sigmas) + 2.047, the
    last term being log2(sqrt(2 pi e)).
    """
    step = clip_sigmas / levels
    cdf = NormalDist().cdf
    edges = [0.0, *(cdf((q + 0.5) * step) for q in range(-levels, levels)), 1.0]
    shares = [high - low for low, high in pairwise(edges)]
    return -math.fsum(p * math.log2(p) for p in shares if p > 0)


def tail_sigmas(share: float) -> float:
    """The magnitude that a share of Gaussian weights exceeds, in deviations."""
    return -NormalDist().inv_cdf(share / 2)


def largest_share(columns: int) -> float:
    """The share of Gaussian weights beyond the largest of a row, where that sets the step.

    In n draws it is the value that exp(-0.5772) of them are expected to exceed (Euler's constant).
    """
    return math.exp(-0.5772) / columns


def is_rounded(cfg: "Config", tensor: PlannedTensor) -> bool:
    """Whether the artifact holds symbols in place of the numbers."""
    return tensor.kind != "scalar" and tensor.numel > cfg.quantize.passthrough_max_numel


def integer_bits(cfg: "Config", tensor: PlannedTensor, clip_sigmas: float) -> float:
    """Expected entropy in bits of a symbol; brotli and zlib come within about 1 %."""
    bits = cfg.quantize.embed_bits if tensor.kind == "embed" else cfg.quantize.matrix_bits
    return gaussian_bits(2 ** (bits - 1) - 1, clip_sigmas)


def gptq_bits(cfg: "Config", tensor: PlannedTensor) -> PlannedBits | None:
    if not is_rounded(cfg, tensor):
        return None
    is_table = tensor.kind == "embed"
    clip_sigmas = cfg.quantize.embed_clip_sigmas if is_table else cfg.quantize.matrix_clip_sigmas
    return PlannedBits(integer_bits(cfg, tensor, clip_sigmas), STEP_BYTES * tensor.shape[0])


def percentile_bits(cfg: "Config", tensor: PlannedTensor) -> PlannedBits | None:
    if not is_rounded(cfg, tensor):
        return None
    # Where the share above the percentile is less than one weight of a row, the clip is that weight.
    share = max(1 - cfg.quantize.clip_percentile / 100, largest_share(tensor.shape[1]))
    return PlannedBits(integer_bits(cfg, tensor, tail_sigmas(share)), STEP_BYTES * tensor.shape[0])


GPTQ = Method("full GPTQ with SDClip", "integers", gptq_bits, error_band=(-0.005, 0.015))
PERCENTILE = Method("round to nearest after a clip by rows", "integers", percentile_bits)
