"""The `[tcq]` table: trellis-coded quantization."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import above, one_of, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class Tcq(Section):
    """Trellis-coded quantization with steps by sensitivity. In use only where `quantize.method` is tcq."""

    name: ClassVar[str] = "tcq"
    log_prefix: ClassVar[str] = "tcq_"
    reads_artifact: ClassVar[bool] = True

    engine: str = setting(
        "native",
        "native: in C, on all cores; torch: slower, but without a compiler, and on a GPU if there is one",
        one_of("native", "torch"),
        log="always",
    )
    states: int = setting(8, "states of the trellis; 1 rounds without one", one_of(1, 4, 8, 16, 32), log="always")
    rounding_loss: float = setting(
        0.02, "nats a token that rounding may cost by the Fisher matrix, which sets all steps", above(0), log="always"
    )
    input_damping: float = setting(
        0.03, "share of the mean diagonal of H, second moments of a layer's inputs", above(0), log="always"
    )
    output_damping: float = setting(
        0.1, "share of the mean diagonal of G, second moments of the gradients at its outputs", above(0), log="always"
    )
    two_sided: bool = setting(True, "feed errors forward along rows as well as columns", log="always")

    def on(self, cfg: "Config") -> bool:
        return cfg.quantize.method == "tcq"
