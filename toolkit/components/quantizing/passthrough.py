"""Which tensors become symbols in the artifact, and how the others stay plain numbers."""

from collections.abc import Iterator

from torch import Tensor

from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_FP32, QuantizedTensor
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import parameter_kind


def require_finite(name: str, tensor: Tensor) -> None:
    """`InputError` naming the tensor unless all of it is finite."""
    others = int((~tensor.isfinite()).sum())
    if others:
        raise InputError(
            f"{name}: expected finite numbers below 65,504, found {others} others of {tensor.numel()}; "
            "lower the learning rates"
        )


def is_quantized(cfg: Config, name: str, weight: Tensor) -> bool:
    """Whether a parameter becomes integers in the artifact: large tables and linear maps do."""
    return parameter_kind(name) != "scalar" and weight.numel() > cfg.quantize.passthrough_max_numel


def large_matrices(cfg: Config, state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Name and weight, float32 [R, C], of all that becomes integers; `InputError` for numbers that are not finite."""
    for name, tensor in state.items():
        if is_quantized(cfg, name, tensor):
            require_finite(name, tensor)
            yield name, tensor.detach().float()


def with_passthrough(
    cfg: Config, matrices: dict[str, QuantizedTensor], state: dict[str, Tensor]
) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict: the quantized matrices, and the others as plain numbers.

    Matrices that are left become fp16. Vectors and scalars, which control the network, stay fp32 if the method does not
    make these fp16 as well.
    """
    quantized = dict(matrices)
    for name, tensor in state.items():
        if name not in matrices:
            weight = tensor.detach().float()
            short = weight.ndim >= 2 or cfg.quantize.vector_bytes == 2
            if short:
                weight = weight.half()
            require_finite(name, weight)
            quantized[name] = QuantizedTensor(SCHEME_FP16 if short else SCHEME_FP32, weight.cpu().numpy().copy())
    return quantized
