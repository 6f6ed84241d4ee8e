"""The `[artifact]` table: how large code and artifact may become together."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import at_least, setting
from toolkit.components.settings.methods import METHODS
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

_UNFILLED_BYTES = 1 << 30  # more than any artifact takes, and than the finest steps do


@dataclass(frozen=True)
class Artifact(Section):
    """How large code and artifact may become together, for methods whose steps can be searched, such as tcq."""

    name: ClassVar[str] = "artifact"

    target_bytes: int = setting(
        0, "size that finer and finer steps fill; 0: steps are those of tcq.rounding_loss", at_least(0), log="always"
    )
    margin_bytes: int = setting(0, "bytes of the target that stay free", at_least(0), log="always")
    fill_seconds: float = setting(
        600.0, "no attempt begins that would, by the slowest so far, end later", at_least(0), log="always"
    )

    def check(self, cfg: "Config") -> None:
        able = [f'"{name}"' for name, method in METHODS.items() if method.fills_target]
        self.require(
            self.target_bytes == 0 or METHODS[cfg.quantize.method].fills_target,
            "target_bytes",
            "unset unless quantize.method = " + " or ".join(able),
        )

    def on(self, cfg: "Config") -> bool:
        return self.target_bytes > 0

    def small(self, cfg: "Config") -> Self:
        """Code counts against a target, and its size differs between the forms of a script: none of them fills this."""
        return replace(self, target_bytes=_UNFILLED_BYTES if self.target_bytes else 0)
