"""The `[train]` table: batch, clock and schedule."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import above, at_least, between, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class Train(Section):
    """Batch, clock and schedule; the defaults are the organisers' baseline."""

    name: ClassVar[str] = "train"

    seed: int = setting(1337, "decides initial weights and data order; SEED overrides it", at_least(0), log="never")
    batch_tokens: int = setting(
        524_288,
        "tokens of an optimizer step over all ranks; a multiple of seq_len * micro_batches",
        above(0),
        log="always",
        log_name="train_batch_tokens",
    )
    seq_len: int = setting(1024, "tokens of a training sequence", above(0), log="always", log_name="train_seq_len")
    micro_batches: int = setting(
        8,
        "world size * gradient accumulation steps, so that any world size has the same batch",
        above(0),
        log="always",
    )
    iterations: int = setting(20_000, "most steps; ITERATIONS overrides it", above(0), log="never")
    max_wallclock_seconds: float = setting(
        600.0,
        "cap of training, calibration included; 0: no clock; MAX_WALLCLOCK_SECONDS overrides it",
        at_least(0),
        log="never",
    )
    warmup_steps: int = setting(
        20,
        "steps that compile and prime, outside the clock, before the initial state is restored",
        at_least(0),
        log="always",
    )
    warmdown_iterations: int = setting(
        0, "length of the warm-down in iterations at the running step time; 0: off", at_least(0), source="#1"
    )
    warmdown_fraction: float = setting(
        0.0,
        "share of the cap without reserve_seconds that is spent warming down; 0: off",
        between(0, 1),
        source="#1218",
    )
    min_lr: float = setting(0.0, "floor of the learning-rate multiplier", between(0, 1))
    log_every: int = setting(500, "steps between lines of training loss", above(0), log="always")
    val_every: int = setting(0, "steps between validations of the float model; 0: at the end only", at_least(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        sequences = self.seq_len * self.micro_batches
        self.require(
            self.batch_tokens % sequences == 0, "batch_tokens", f"a multiple of seq_len * micro_batches = {sequences}"
        )
        self.require(
            not (self.warmdown_iterations and self.warmdown_fraction),
            "warmdown_iterations",
            "unset when warmdown_fraction is set",
        )

    def small(self, cfg: "Config") -> Self:
        micro_batches = min(self.micro_batches, 2)
        return replace(
            self,
            seq_len=32,
            micro_batches=micro_batches,
            batch_tokens=32 * 4 * micro_batches,
            warmup_steps=min(self.warmup_steps, 1),
            log_every=1,
            val_every=2 if self.val_every else 0,
        )
