"""What changes over training: the learning rates' common factor and Muon's momentum. There is no warm-up of rates."""

from toolkit.components.config import Config


def learning_rate_scale(cfg: Config, step: int, iterations: int, seconds: float, cap_seconds: float) -> float:
    """Factor of all learning rates: 1, then falling linearly to `min_lr` at the end of training.

    `step` steps took `seconds`. The end is `cap_seconds` or, where that is 0 and there is no clock, `iterations`. The
    fall takes `warmdown_fraction` of it (#1218) or `warmdown_iterations` steps, at the mean time of those so far (#1).
    """
    left = 1.0
    if cfg.train.warmdown_fraction:
        done = seconds / cap_seconds if cap_seconds else step / iterations
        left = (1 - done) / cfg.train.warmdown_fraction
    if cfg.train.warmdown_iterations:
        steps_left = (cap_seconds - seconds) * step / seconds if cap_seconds and step else iterations - step
        left = steps_left / cfg.train.warmdown_iterations
    return max(min(left, 1.0), cfg.train.min_lr)


def muon_momentum(cfg: Config, step: int) -> float:
    """Momentum of the step numbered from 0: raised linearly over the first `muon_momentum_warmup_steps`."""
    if cfg.optimizer.muon_momentum_warmup_steps:
        share = min(step / cfg.optimizer.muon_momentum_warmup_steps, 1.0)
        return (1 - share) * cfg.optimizer.muon_momentum_start + share * cfg.optimizer.muon_momentum
    return cfg.optimizer.muon_momentum
