"""The `[hybrid]` table: HybridQuant's levels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import Allowed, setting
from toolkit.components.settings.method import Method, MethodSettings, PlannedBits, PlannedTensor
from toolkit.components.settings.rounding import STEP_BYTES, gaussian_bits, largest_share, tail_sigmas

if TYPE_CHECKING:
    from toolkit.components.config import Config

PENTANARY_BITS = 2.133  # of a Gaussian cut at 0.7 and 1.4 times its mean magnitude
_LEVELS = Allowed(
    "0, 5 or an even number from 2 to 256", lambda value: value in (0, 5) or (2 <= value <= 256 and value % 2 == 0)
)


@dataclass(frozen=True)
class Hybrid(MethodSettings):
    """HybridQuant (#1465): levels of a weight by class of matrix, trained with, and coded by rANS.

    In use only where `quantize.method` is hybrid. An even number of levels is centred on 0 with one more below it; 5
    (pentanary) has thresholds of its own; 0 leaves a class fp16, as all other tensors are.
    """

    name: ClassVar[str] = "hybrid"
    log_prefix: ClassVar[str] = "hybrid_"

    qk_levels: int = setting(64, "levels of query and key matrices", _LEVELS, source="#1465", log="always")
    vo_levels: int = setting(
        32, "levels of value and output matrices of attention", _LEVELS, source="#1465", log="always"
    )
    up_levels: int = setting(5, "levels of the MLP's first matrix", _LEVELS, source="#1465", log="always")
    down_levels: int = setting(16, "levels of the MLP's second matrix", _LEVELS, source="#1465", log="always")
    embed_levels: int = setting(
        64, "levels of tables, rounded after training alone", _LEVELS, source="#1465", log="always"
    )

    @property
    def levels_by_ending(self) -> tuple[tuple[str, int], ...]:
        """Levels by how a weight's name in the state dict ends; no other weight has any."""
        return (
            *((ending, self.qk_levels) for ending in ("c_q.weight", "c_k.weight")),
            *((ending, self.vo_levels) for ending in ("c_v.weight", "attn.proj.weight")),
            ("mlp.fc.weight", self.up_levels),
            ("mlp.proj.weight", self.down_levels),
            *((ending, self.embed_levels) for ending in ("emb.weight", "embed.weight")),
        )


def hybrid_bits(cfg: "Config", tensor: PlannedTensor) -> PlannedBits | None:
    """An even number of levels divides the largest weight of a row."""
    endings = cfg.hybrid.levels_by_ending
    levels = next((levels for ending, levels in endings if tensor.name.endswith(ending)), 0)
    if not levels or tensor.numel <= cfg.quantize.passthrough_max_numel:
        return None
    sigmas = tail_sigmas(largest_share(tensor.shape[1]))
    bits = PENTANARY_BITS if levels == 5 else gaussian_bits(levels // 2, sigmas)
    return PlannedBits(bits, STEP_BYTES * tensor.shape[0] + 2 * levels)


HYBRID = Method("HybridQuant, see [hybrid]", "levels", hybrid_bits, error_band=(-0.02, 0.02), vector_bytes=2)
