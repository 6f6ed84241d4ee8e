"""What the parts of a recipe do around the steps of training, in a fixed order.

A part has a line in each phase that concerns it, and decides by its own settings whether there is something to do.
`train.py` calls the phases on all ranks alike; what they take counts for the clock.
"""

from toolkit.components.config import Config
from toolkit.components.training.averages import apply_average, start_average, update_average
from toolkit.components.training.optimizer import set_rates
from toolkit.components.training.progress import Progress
from toolkit.components.training.trainer import Trainer


def prime(cfg: Config, trainer: Trainer, step: int) -> None:
    """Before each step of the warm-up, numbered from 0."""
    set_rates(cfg, trainer.optimizers, step, 1.0)


def before_training(cfg: Config, trainer: Trainer) -> None:
    """After the warm-up, when weights, optimizers and loader are as the seed has them."""
    start_average(cfg, trainer)


def before_step(cfg: Config, trainer: Trainer, progress: Progress, scale: float) -> None:
    """Before each step; `scale` is the factor of all learning rates."""
    set_rates(cfg, trainer.optimizers, progress.step, scale)


def after_step(cfg: Config, trainer: Trainer, progress: Progress, scale: float) -> None:
    """After each step, with the `progress` and `scale` of `before_step`."""
    update_average(cfg, trainer, progress, scale)


def after_training(cfg: Config, trainer: Trainer) -> None:
    """After the last step, before what the quantizer needs is collected."""
    apply_average(cfg, trainer)
