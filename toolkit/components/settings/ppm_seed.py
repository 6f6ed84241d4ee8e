"""The `[ppm_seed]` table: the byte mixture of #1785."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.components.settings.field import between, one_of, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class PpmSeed(Section):
    """The byte mixture of #1785, kept to reproduce and to teach. It is not a probability distribution."""

    name: ClassVar[str] = "ppm_seed"
    log_prefix: ClassVar[str] = "ppm_seed_"

    order: int = setting(5, "bytes of the longest context", between(1, 5), source="#1785", log="always")
    gate: str = setting(
        "v2",
        "what counts as PPM's confidence: v1 and v2 are the two codes of #1785, strict is of #1795, documented as told",
        one_of("v1", "v2", "strict", "documented"),
        source="#1785, #1795",
        log="always",
    )
    confidence: float = setting(0.9, "above it the mixture trusts PPM", between(0, 1), source="#1785", log="always")
    lambda_confident: float = setting(
        0.05, "weight of the network where PPM is trusted", between(0, 1), source="#1785", log="always"
    )
    lambda_default: float = setting(0.9, "weight of the network elsewhere", between(0, 1), source="#1785", log="always")
    spelling: str = setting(
        "text",
        "text: bytes are those of the text; names: `<0x0A>` counts as six, `<s>` as three",
        one_of("text", "names"),
        source="#1785",
        log="always",
    )

    def on(self, cfg: "Config") -> bool:
        return "ppm_seed" in cfg.evaluate.mixers
