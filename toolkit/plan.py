"""What a recipe will cost before anything is trained: parameters, FLOPs, steps, bytes of the artifact.

Shapes come from the model itself, built on torch's meta device, so a new component is counted without further work.
Not covered: memory, evaluation time, and how far trained weights are from Gaussian.
"""

import importlib.util
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from toolkit.check.rulebook.limits import bytes_left, cap_bytes
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.settings.method import PlannedTensor
from toolkit.components.settings.methods import METHODS
from toolkit.components.settings.model import Model
from toolkit.errors import GolfError

# Training FLOPs per second on 8xH100 by this file's formula: published step times of the baseline (43.5 ms) and of
# SP4096 (98.9 ms), both with torch.compile. Other models are expected between or near them.
FLOPS_PER_SECOND_8XH100 = (1.57e15, 2.17e15)
ESTIMATE = (
    "entropy of Gaussian weights after rounding, an fp16 scale a row, other matrices as fp16, vectors as fp32 (fp16 "
    "under HybridQuant); the published models of the baseline and of #1394 are 0.9 % and 0.8 % larger than this. "
    "Trellis-coded weights: at the loss that the recipe's int6 would have; a target size buys finer steps"
)
NOT_COUNTED = "-: needs torch to be counted; pip install 'golf-toolkit[train]'"
FITTED = {"num_layers": 1, "model_dim": 16, "mlp_mult": 1, "vocab_size": 64}  # what `fit` varies, in which steps


@dataclass(frozen=True)
class Plan:
    """Forecast for one recipe. FLOPs are for one token, bytes for the shipped files."""

    cfg: Config
    parameters: dict[str, int]  # by kind: embed, matrix, scalar
    forward_flops: int
    bits_per_weight: dict[str, float]  # expected entropy of quantized weights, by kind
    model_bytes: int
    scheme_bytes: dict[str, tuple[int, int]]  # least and most, had the recipe chosen the method
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
        return bytes_left(self.total_bytes)

    def to_json(self) -> dict[str, Any]:
        return uncounted(self.cfg, self.code_bytes) | {
            "parameters": sum(self.parameters.values()),
            "parameters_by_kind": self.parameters,
            "forward_flops_per_token": self.forward_flops,
            "training_flops_per_token": self.training_flops,
            "steps_8xh100": list(self.steps_8xh100),
            "bits_per_weight": self.bits_per_weight,
            "estimated_model_bytes": self.model_bytes,
            "model_bytes_by_method": {method: list(band) for method, band in self.scheme_bytes.items()},
            "estimated_total_bytes": self.total_bytes,
            "estimated_bytes_left": self.bytes_left,
            "fits": self.bytes_left >= 0,
        }


def uncounted(cfg: Config, code_bytes: int) -> dict[str, Any]:
    """What `Plan.to_json` tells of a recipe without torch: None stands for what takes counted parameters."""
    counted = (
        "parameters",
        "parameters_by_kind",
        "forward_flops_per_token",
        "training_flops_per_token",
        "steps_8xh100",
        "bits_per_weight",
        "estimated_model_bytes",
        "model_bytes_by_method",
        "estimated_total_bytes",
        "estimated_bytes_left",
        "fits",
    )
    return {
        "recipe": cfg.name,
        "title": cfg.title,
        "track": cfg.track,
        "code_bytes": code_bytes,
        **dict.fromkeys(counted),
        "estimate": ESTIMATE,
    }


def make_plan(cfg: Config, code_bytes: int) -> Plan:
    """Forecast for a recipe whose packed script has `code_bytes`."""
    tensors = planned_tensors(cfg)
    parameters: Counter[str] = Counter()
    quantized: Counter[str] = Counter()
    bits = {"matrix": 0.0, "embed": 0.0}
    for tensor in tensors:
        parameters[tensor.kind] += tensor.numel
        planned = METHODS[cfg.quantize.method].planned_bits(cfg, tensor)
        if planned:
            quantized[tensor.kind] += tensor.numel
            bits[tensor.kind] += tensor.numel * planned.bits
    return Plan(
        cfg=cfg,
        parameters=dict(parameters),
        forward_flops=forward_flops_per_token(cfg, parameters["matrix"]),
        bits_per_weight={kind: bits[kind] / quantized[kind] for kind in ("matrix", "embed") if quantized[kind]},
        model_bytes=sum(tensor_bytes(cfg, tensor) for tensor in tensors),
        scheme_bytes={
            name: method_band(cfg, name, method.error_band) for name, method in METHODS.items() if method.error_band
        },
        code_bytes=code_bytes,
    )


def method_band(cfg: Config, method: str, error_band: tuple[float, float]) -> tuple[int, int]:
    """Least and most bytes of the model's file under a method, other settings as they are."""
    cfg = replace(cfg, quantize=replace(cfg.quantize, method=method), artifact=replace(cfg.artifact, target_bytes=0))
    model_bytes = sum(tensor_bytes(cfg, tensor) for tensor in planned_tensors(cfg))
    low, high = (round(model_bytes * (1 + share)) for share in error_band)
    return low, high


def fit(cfg: Config, setting: str, code_bytes: int) -> Plan:
    """The forecast for the largest value of a setting of `FITTED` that fits the cap, others as they are.

    `GolfError` where no value fits that the model allows.
    """
    step = FITTED[setting]
    value = getattr(cfg.model, setting) // step * step
    upward = make_plan(cfg, code_bytes).bytes_left >= 0
    best = None
    while value > 0:
        try:
            plan = make_plan(replace(cfg, model=with_setting(cfg.model, setting, value)), code_bytes)
        except InputError:
            plan = None  # head dimensions and the like have to divide
        if plan and plan.bytes_left >= 0:
            best = plan
        if plan and upward != (plan.bytes_left >= 0):
            break
        value += step if upward else -step
    if best is None:
        raise GolfError(f"{setting}: expected a value whose estimate is below {cap_bytes():,} bytes, found none")
    return best


def with_setting(model: Model, setting: str, value: int) -> Model:
    """A model with one setting changed. What covers all layers still does, and what counts from the last moves."""
    changes: dict[str, Any] = {setting: value}
    if setting == "num_layers":
        changes["xsa_layers"] = value if model.xsa_layers == model.num_layers else min(model.xsa_layers, value)
        changes["value_embed_layers"] = tuple(layer + value - model.num_layers for layer in model.value_embed_layers)
    return replace(model, **changes)


def can_count() -> bool:
    """Whether torch is there, with which models are built to count their parameters."""
    return importlib.util.find_spec("torch") is not None


def planned_tensors(cfg: Config) -> list[PlannedTensor]:
    """All parameters of a recipe; allocates none of them. Needs torch."""
    import torch

    from toolkit.components.model.gpt import GPT, parameter_kind

    with torch.device("meta"):
        parameters = GPT(cfg).named_parameters()
    return [PlannedTensor(name, parameter_kind(name), tuple(tensor.shape)) for name, tensor in parameters]


def count_parameters(cfg: Config) -> int:
    return sum(tensor.numel for tensor in planned_tensors(cfg))


def forward_flops_per_token(cfg: Config, matrix_parameters: int) -> int:
    """Multiplications and additions of one token's forward pass, matrix products only.

    2 (M + V d) + 2 L d (T + 1): M parameters of linear maps and the tied head V d, each used once. In each of L layers
    q k^T and the weighted sum of values take 2 d each for the (T + 1) / 2 positions a causal token sees on average.
    """
    model = cfg.model
    head = model.vocab_size * model.model_dim
    attention = model.num_layers * model.model_dim * (cfg.train.seq_len + 1)
    return 2 * (matrix_parameters + head) + 2 * attention


def tensor_bytes(cfg: Config, tensor: PlannedTensor) -> int:
    """Expected bytes in the artifact: quantized, or fp16, or in a vector's dtype."""
    planned = METHODS[cfg.quantize.method].planned_bits(cfg, tensor)
    if planned:
        return planned.total_bytes(tensor.numel)
    return tensor.numel * (2 if len(tensor.shape) >= 2 else cfg.quantize.vector_bytes)
