"""The `[evaluate]` table: what scores the decoded artifact."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import above, require, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

SCORERS = ("roundtrip", "sliding")  # in the order in which stages run, and so are the mixers on each of them
MIXERS = ("ppm_seed", "ppm_trie")
STAGES = tuple(scorer + mixer for scorer in SCORERS for mixer in ("", *(f"+{mixer}" for mixer in MIXERS)))


@dataclass(frozen=True)
class Evaluate(Section):
    """Stages that score the decoded artifact, in order; the last one gives the headline."""

    name: ClassVar[str] = "evaluate"

    stages: tuple[str, ...] = setting(
        ("roundtrip",),
        "each a scorer, or a mixer on top of one: of " + ", ".join(STAGES) + "; each at most once, in this order",
        log="always",
    )
    stride: int = setting(64, "targets that a sliding window moves on by", above(0), log="always")
    batch_windows: int = setting(32, "windows scored at once", above(0), log="always")

    def __post_init__(self) -> None:
        super().__post_init__()
        for stage in self.stages:
            require(stage not in MIXERS, "evaluate.stages", f"a mixer on its scorer, as in sliding+{stage}", stage)
            require(stage in STAGES, "evaluate.stages", "stages of " + ", ".join(STAGES), stage)
        ordered = tuple(stage for stage in STAGES if stage in self.stages)
        self.require(self.stages == ordered != (), "stages", "each once, in the order of " + ", ".join(STAGES))

    @property
    def scorers(self) -> tuple[str, ...]:
        """Those that run, for a stage of their own or for mixers."""
        return tuple(scorer for scorer in SCORERS if any(stage.partition("+")[0] == scorer for stage in self.stages))

    @property
    def mixed(self) -> tuple[str, ...]:
        """Scorers with mixers on top."""
        return tuple(scorer for scorer in SCORERS if any(stage.startswith(f"{scorer}+") for stage in self.stages))

    @property
    def mixers(self) -> tuple[str, ...]:
        return tuple(mixer for mixer in MIXERS if any(stage.endswith(f"+{mixer}") for stage in self.stages))

    def check(self, cfg: "Config") -> None:
        self.require(self.stride <= cfg.train.seq_len, "stride", f"at most train.seq_len = {cfg.train.seq_len}")

    def small(self, cfg: "Config") -> Self:
        return replace(self, stride=16, batch_windows=4)
