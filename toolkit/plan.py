"""What a recipe will cost before anything is trained: parameters, FLOPs, steps, bytes of the artifact.

Shapes come from the model itself, built on torch's meta device, so a new component is counted without further work.
Not covered: memory, evaluation time, and how far trained weights are from Gaussian.
"""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.units import CAP_BYTES

# Training FLOPs a second on 8xH100 by this file's formula: published step times of the baseline (43.5 ms) and of
# SP4096 (98.9 ms), both with torch.compile. Other models are expected between or near them.
FLOPS_PER_SECOND_8XH100 = (1.57e15, 2.17e15)
ESTIMATE = (
    "entropy of Gaussian weights after rounding, an fp16 scale a row, other matrices as fp16, vectors as fp32; "
    "the published models of the baseline and of #1394 are 0.9 % and 0.8 % larger than this"
)


@dataclass(frozen=True)
class Plan:
    """Forecast for one recipe. FLOPs are for one token, bytes for the shipped files."""

    cfg: Config
    parameters: dict[str, int]  # by kind: embed, matrix, scalar
    forward_flops: int
    bits_per_weight: dict[str, float]  # expected entropy of quantized weights, by kind
    model_bytes: int
    code_bytes: int

    @property
    def training_flops(self) -> int:
        """Forward plus backward, which multiplies each matrix twice more."""
        return 3 * self.forward_flops

    @property
    def steps_8xh100(self) -> tuple[int, int]:
        """Fewest and most steps that the training clock is likely to allow."""
        train = self.cfg.train
        if not train.max_wallclock_seconds:
            return train.iterations, train.iterations
        seconds = train.max_wallclock_seconds - self.cfg.quantize.reserve_seconds
        low, high = (
            min(train.iterations, int(seconds * speed / (self.training_flops * train.batch_tokens)))
            for speed in FLOPS_PER_SECOND_8XH100
        )
        return low, high

    @property
    def total_bytes(self) -> int:
        return self.model_bytes + self.code_bytes

    @property
    def bytes_left(self) -> int:
        return CAP_BYTES - self.total_bytes

    def to_json(self) -> dict[str, object]:
        return {
            "recipe": self.cfg.name,
            "title": self.cfg.title,
            "track": self.cfg.track,
            "parameters": sum(self.parameters.values()),
            "parameters_by_kind": self.parameters,
            "forward_flops_per_token": self.forward_flops,
            "training_flops_per_token": self.training_flops,
            "steps_8xh100": list(self.steps_8xh100),
            "bits_per_weight": self.bits_per_weight,
            "estimated_model_bytes": self.model_bytes,
            "code_bytes": self.code_bytes,
            "estimated_total_bytes": self.total_bytes,
            "estimated_bytes_left": self.bytes_left,
            "fits": self.bytes_left >= 0,
            "estimate": ESTIMATE,
        }


def make_plan(cfg: Config, code_bytes: int) -> Plan:
    """Forecast for a recipe whose packed script has `code_bytes`."""
    tensors = parameter_shapes(cfg)
    parameters: Counter[str] = Counter()
    for kind, shape in tensors:
        parameters[kind] += math.prod(shape)
    return Plan(
        cfg=cfg,
        parameters=dict(parameters),
        forward_flops=forward_flops_per_token(cfg, parameters["matrix"]),
        bits_per_weight={kind: quantized_bits(cfg, kind, cfg.model.model_dim) for kind in ("matrix", "embed")},
        model_bytes=sum(tensor_bytes(cfg, kind, shape) for kind, shape in tensors),
        code_bytes=code_bytes,
    )


def parameter_shapes(cfg: Config) -> list[tuple[str, tuple[int, ...]]]:
    """Kind (matrix, embed or scalar) and shape of each parameter of a recipe; allocates none of them."""
    try:
        import torch
    except ModuleNotFoundError:
        raise GolfError(
            "torch: expected it to count parameters, found none; pip install 'golf-toolkit[train]'"
        ) from None
    from toolkit.components.gpt import GPT, parameter_kind

    with torch.device("meta"):
        return [(parameter_kind(name), tuple(tensor.shape)) for name, tensor in GPT(cfg).named_parameters()]


def count_parameters(cfg: Config) -> int:
    return sum(math.prod(shape) for _, shape in parameter_shapes(cfg))


def forward_flops_per_token(cfg: Config, matrix_parameters: int) -> int:
    """Multiplications and additions of one token's forward pass, matrix products only.

    2 (M + V d) + 2 L d (T + 1): M parameters of linear maps and the tied head V d, each used once. In each of L layers
    q k^T and the weighted sum of values take 2 d each for the (T + 1) / 2 positions a causal token sees on average.
    """
    model = cfg.model
    head = model.vocab_size * model.model_dim
    attention = model.num_layers * model.model_dim * (cfg.train.seq_len + 1)
    return 2 * (matrix_parameters + head) + 2 * attention


def tensor_bytes(cfg: Config, kind: str, shape: tuple[int, ...]) -> int:
    """Expected bytes of one tensor in the artifact: quantized, or fp32 where it is a vector and fp16 otherwise."""
    numel = math.prod(shape)
    if kind == "scalar" or numel <= cfg.quantize.passthrough_max_numel:
        return numel * (4 if len(shape) < 2 else 2)
    return round(numel * quantized_bits(cfg, kind, shape[1]) / 8) + 2 * shape[0]


def quantized_bits(cfg: Config, kind: str, row_length: int) -> float:
    """Expected entropy in bits of one quantized weight of Gaussian rows; brotli and zlib come within about 1 %."""
    quantize = cfg.quantize
    bits = quantize.embed_bits if kind == "embed" else quantize.matrix_bits
    clip_sigmas = quantize.embed_clip_sigmas if kind == "embed" else quantize.matrix_clip_sigmas
    if quantize.method == "percentile":
        # The share above the percentile is less than one weight of a row, so the clip is the row's largest weight:
        # in n Gaussian draws, the value that exp(-0.5772) of them are expected to exceed (Euler's constant).
        tail = max(1 - quantize.clip_percentile / 100, math.exp(-0.5772) / row_length)
        clip_sigmas = -NormalDist().inv_cdf(tail / 2)
    return gaussian_bits(2 ** (bits - 1) - 1, clip_sigmas)


def gaussian_bits(levels: int, clip_sigmas: float) -> float:
    """Entropy in bits of clamp(round(w / s), -levels, levels) for w ~ N(0, 1), s = clip_sigmas / levels.

    Where steps are fine and nothing is clipped (SDClip of #1394), it approaches log2(levels / clip_sigmas) + 2.047, the
    last term being log2(sqrt(2 pi e)).
    """
    step = clip_sigmas / levels
    cdf = NormalDist().cdf
    edges = [0.0, *(cdf((q + 0.5) * step) for q in range(-levels, levels)), 1.0]
    shares = [high - low for low, high in pairwise(edges)]
    return -sum(p * math.log2(p) for p in shares if p > 0)
