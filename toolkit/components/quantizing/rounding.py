"""Symbols of one step a row: what methods that store integers share."""

from torch import Tensor

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.config import Config
from toolkit.components.model.gpt import parameter_kind


def symbol_bits(cfg: Config, name: str) -> int:
    """Bits of a matrix by its state-dict name."""
    return cfg.quantize.embed_bits if parameter_kind(name) == "embed" else cfg.quantize.matrix_bits


def round_symbols(x: Tensor, scale: Tensor, q_max: int) -> Tensor:
    """Nearest multiples of `scale` as whole numbers of [-q_max, q_max], in the dtype of x."""
    return (x / scale).round().clamp(-q_max, q_max)


def rounding_line(quantized: dict[str, QuantizedTensor], num_hessians: int) -> str:
    """Log line of how many matrices were rounded by their Hessian, and how many to nearest."""
    return (
        f"GPTQ quantization: {num_hessians} layers with full GPTQ, "
        f"{sum(len(tensor.side) > 0 for tensor in quantized.values()) - num_hessians} fallback to round-to-nearest"
    )
