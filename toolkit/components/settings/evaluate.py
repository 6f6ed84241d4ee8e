"""The `[evaluate]` table: what scores the decoded artifact."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import above, require, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

STAGES = ("roundtrip", "sliding", "ppm_seed", "ppm_trie")


@dataclass(frozen=True)
class Evaluate(Section):
    """Stages that score the decoded artifact, in order; the last one gives the headline."""

    name: ClassVar[str] = "evaluate"

    stages: tuple[str, ...] = setting(
        ("roundtrip",), "of " + ", ".join(STAGES) + ": each at most once, in this order", log="always"
    )
    stride: int = setting(
        64,
        "targets that a sliding window moves on by; a mixer takes its rows from the same windows",
        above(0),
        log="always",
    )
    batch_windows: int = setting(32, "windows scored at once", above(0), log="always")

    def __post_init__(self) -> None:
        super().__post_init__()
        for stage in self.stages:
            require(stage in STAGES, "evaluate.stages", "stages of " + ", ".join(STAGES), stage)
        ordered = tuple(stage for stage in STAGES if stage in self.stages)
        self.require(self.stages == ordered != (), "stages", "each once, in the order of " + ", ".join(STAGES))

    def check(self, cfg: "Config") -> None:
        self.require(self.stride <= cfg.train.seq_len, "stride", f"at most train.seq_len = {cfg.train.seq_len}")

    def small(self, cfg: "Config") -> Self:
        return replace(self, stride=16, batch_windows=4)
