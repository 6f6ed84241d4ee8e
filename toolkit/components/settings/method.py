"""A quantizer as settings, artifact and forecast know it, without the code that it runs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class PlannedTensor:
    """One parameter of a recipe's model."""

    name: str  # in the state dict
    kind: str  # embed, matrix or scalar
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class PlannedBits:
    """What a quantized tensor is expected to take."""

    bits: float  # entropy of a weight's symbol, Gaussian rows assumed
    side_bytes: int  # of scales and tables

    def total_bytes(self, numel: int) -> int:
        return round(numel * self.bits / 8) + self.side_bytes


@dataclass(frozen=True)
class Method:
    """One way to make weights into bytes, and the facts that others ask for."""

    meaning: str
    storage: str  # how the artifact holds matrices, see `artifact/schemes.py`: integers, levels or points
    planned_bits: Callable[["Config", PlannedTensor], PlannedBits | None]  # None for what stays fp16 or fp32
    error_band: tuple[float, float] | None = None  # of the forecast: files are larger by shares between these
    vector_bytes: int = 4  # of a number in a vector, which is never quantized: 2 or 4
    fills_target: bool = False  # whether it searches for steps that fill `artifact.target_bytes`


class MethodSettings(Section):
    """The table of one method, in use only where `quantize.method` is its name."""

    reads_artifact: ClassVar[bool] = True

    def on(self, cfg: "Config") -> bool:
        return cfg.quantize.method == self.name
