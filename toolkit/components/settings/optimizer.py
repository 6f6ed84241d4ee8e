"""The `[optimizer]` table: Muon, AdamW and averages of the weights."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import above, at_least, between, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config


@dataclass(frozen=True)
class Optimizer(Section):
    """Muon for matrices, AdamW for the rest; the defaults are the organisers' baseline."""

    name: ClassVar[str] = "optimizer"

    matrix_lr: float = setting(0.04, "learning rate of matrices, under Muon", above(0), log="always")
    embed_lr: float = setting(0.05, "learning rate of embeddings", above(0), log="always")
    scalar_lr: float = setting(0.04, "learning rate of vectors and scalars", above(0), log="always")
    muon_momentum: float = setting(0.95, "Muon's momentum once it is warm", between(0, 1), log="always")
    muon_momentum_start: float = setting(
        0.85, "Muon's momentum at step 0, from where it rises linearly", between(0, 1), log="always"
    )
    muon_momentum_warmup_steps: int = setting(500, "steps until muon_momentum is reached", at_least(0), log="always")
    muon_row_normalize: bool = setting(False, "normalise rows before Newton-Schulz: MuonEq-R", source="#1217")
    newton_schulz_steps: int = setting(5, "iterations of Muon's orthogonalisation", above(0), log="always")
    matrix_weight_decay: float = setting(0.0, "decoupled weight decay of matrices", at_least(0))
    embed_weight_decay: float = setting(0.0, "decoupled weight decay of embeddings", at_least(0))
    scalar_weight_decay: float = setting(0.0, "decoupled weight decay of vectors and scalars", at_least(0))
    beta1: float = setting(0.9, "AdamW's decay of the first moment", between(0, 1), log="always")
    beta2: float = setting(0.95, "AdamW's decay of the second moment", between(0, 1), log="always")
    adam_eps: float = setting(1e-8, "AdamW's epsilon", above(0), log="always")
    grad_clip_norm: float = setting(0.0, "norm to which gradients are clipped; 0: off", at_least(0))
    ema_decay: float = setting(0.0, "decay of an exponential average of the weights; 0: off", between(0, 1))
    swa_every_steps: int = setting(
        0, "steps between snapshots of the weights, which are averaged (SWA); 0: off", at_least(0)
    )
    swa_below: float = setting(
        0.0, "snapshots begin where learning rates are below this share of the recipe's", between(0, 1)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            bool(self.swa_every_steps) == bool(self.swa_below), "swa_below", "above 0 with swa_every_steps, else 0"
        )
        self.require(not (self.swa_every_steps and self.ema_decay), "swa_every_steps", "0 when ema_decay is set")

    def small(self, cfg: "Config") -> Self:
        return replace(self, swa_every_steps=min(self.swa_every_steps, 1))
