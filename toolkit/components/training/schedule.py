"""What changes over training: the learning rates' common factor and Muon's momentum. There is no warm-up of rates."""

from toolkit.components.config import Config
from toolkit.components.training.progress import Progress
from toolkit.components.training.warmdown import left_of_fraction, left_of_iterations


def learning_rate_scale(cfg: Config, progress: Progress) -> float:
    """Factor of all learning rates: 1, then falling linearly to `min_lr` at the end of training."""
    return max(min(left_of_warmdown(cfg, progress), 1.0), cfg.train.min_lr)


def left_of_warmdown(cfg: Config, progress: Progress) -> float:
    """By the recipe's kind of warm-down; a recipe without one has all of it left."""
    if cfg.train.warmdown_fraction:
        return left_of_fraction(cfg, progress)
    if cfg.train.warmdown_iterations:
        return left_of_iterations(cfg, progress)
    return 1.0


def muon_momentum(cfg: Config, step: int) -> float:
    """Momentum of the step numbered from 0: raised linearly over the first `muon_momentum_warmup_steps`."""
    if cfg.optimizer.muon_momentum_warmup_steps:
        share = min(step / cfg.optimizer.muon_momentum_warmup_steps, 1.0)
        return (1 - share) * cfg.optimizer.muon_momentum_start + share * cfg.optimizer.muon_momentum
    return cfg.optimizer.muon_momentum
