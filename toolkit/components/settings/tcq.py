"""The `[tcq]` table: trellis-coded quantization."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import above, one_of, setting
from toolkit.components.settings.method import Method, MethodSettings, PlannedBits, PlannedTensor
from toolkit.components.settings.rounding import gptq_bits

if TYPE_CHECKING:
    from toolkit.components.config import Config

SHARE = 0.82  # bits of a weight beside SDClip's at the same loss: `make bench-weights`


@dataclass(frozen=True)
class Tcq(MethodSettings):
    """Trellis-coded quantization with steps by sensitivity. In use only where `quantize.method` is tcq."""

    name: ClassVar[str] = "tcq"
    log_prefix: ClassVar[str] = "tcq_"

    engine: str = setting(
        "native",
        "native: in C, on all cores; torch: slower, but without a compiler, and on a GPU if there is one",
        one_of("native", "torch"),
        log="always",
    )
    states: int = setting(8, "states of the trellis; 1 rounds without one", one_of(1, 4, 8, 16, 32), log="always")
    rounding_loss: float = setting(
        0.02, "nats per token that rounding may cost by the Fisher matrix, which sets all steps", above(0), log="always"
    )
    input_damping: float = setting(
        0.03, "share of the mean diagonal of H, second moments of a layer's inputs", above(0), log="always"
    )
    output_damping: float = setting(
        0.1, "share of the mean diagonal of G, second moments of the gradients at its outputs", above(0), log="always"
    )
    two_sided: bool = setting(True, "feed errors forward along rows as well as columns", log="always")


def tcq_bits(cfg: "Config", tensor: PlannedTensor) -> PlannedBits | None:
    """At the loss that the recipe's integers would have; a target size buys finer steps."""
    integers = gptq_bits(cfg, tensor)
    return integers and replace(integers, bits=SHARE * integers.bits)


TCQ = Method("a trellis, see [tcq]", "points", tcq_bits, error_band=(-0.04, 0.04), fills_target=True)
