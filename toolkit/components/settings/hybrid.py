"""The `[hybrid]` table: HybridQuant's levels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import Allowed, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

_LEVELS = Allowed(
    "0, 5 or an even number from 2 to 256", lambda value: value in (0, 5) or (2 <= value <= 256 and value % 2 == 0)
)


@dataclass(frozen=True)
class Hybrid(Section):
    """HybridQuant (#1465): levels of a weight by class of matrix, trained with, and coded by rANS.

    In use only where `quantize.method` is hybrid. An even number of levels is centred on 0 with one more below it; 5
    (pentanary) has thresholds of its own; 0 leaves a class fp16, as all other tensors are.
    """

    name: ClassVar[str] = "hybrid"
    log_prefix: ClassVar[str] = "hybrid_"
    reads_artifact: ClassVar[bool] = True

    qk_levels: int = setting(64, "levels of query and key matrices", _LEVELS, source="#1465", log="always")
    vo_levels: int = setting(
        32, "levels of value and output matrices of attention", _LEVELS, source="#1465", log="always"
    )
    up_levels: int = setting(5, "levels of the MLP's first matrix", _LEVELS, source="#1465", log="always")
    down_levels: int = setting(16, "levels of the MLP's second matrix", _LEVELS, source="#1465", log="always")
    embed_levels: int = setting(
        64, "levels of tables, rounded after training alone", _LEVELS, source="#1465", log="always"
    )

    def on(self, cfg: "Config") -> bool:
        return cfg.quantize.method == "hybrid"
