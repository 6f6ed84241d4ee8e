"""Averages of the weights, evaluated and quantized in place of the last step's; a recipe has one at most."""

from toolkit.components.config import Config
from toolkit.components.training.ema import WeightAverage
from toolkit.components.training.progress import Progress
from toolkit.components.training.swa import SnapshotMean
from toolkit.components.training.trainer import Trainer


def start_average(cfg: Config, trainer: Trainer) -> None:
    """Before the first step."""
    if cfg.optimizer.ema_decay:
        trainer.average = WeightAverage(cfg, trainer.model)
    if cfg.optimizer.swa_every_steps:
        trainer.snapshots = SnapshotMean(cfg, trainer.model)


def update_average(cfg: Config, trainer: Trainer, progress: Progress, scale: float) -> None:
    """After a step at this factor of the learning rates."""
    if cfg.optimizer.ema_decay:
        trainer.average.update()
    if cfg.optimizer.swa_every_steps and trainer.snapshots.update(progress.step + 1, scale):
        trainer.log(f"swa:snapshot {trainer.snapshots.count} at step {progress.step + 1}")


def apply_average(cfg: Config, trainer: Trainer) -> None:
    """After the last step: the average takes the place of the model's weights."""
    if cfg.optimizer.ema_decay:
        trainer.log("ema:applying EMA weights")
        trainer.average.apply()
    if cfg.optimizer.swa_every_steps:
        trainer.log(f"swa:applying the mean of {trainer.snapshots.count} snapshots")
        trainer.snapshots.apply()
