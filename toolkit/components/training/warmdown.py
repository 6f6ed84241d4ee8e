"""What is left of the warm-down of learning rates: above 1 before it begins, 0 where training ends."""

from toolkit.components.config import Config
from toolkit.components.training.progress import Progress


def left_of_fraction(cfg: Config, progress: Progress) -> float:
    """The warm-down takes `warmdown_fraction` of training (#1218): of the clock or, without one, of the steps."""
    done = progress.seconds / progress.cap_seconds if progress.cap_seconds else progress.step / progress.iterations
    return (1 - done) / cfg.train.warmdown_fraction


def left_of_iterations(cfg: Config, progress: Progress) -> float:
    """It takes `warmdown_iterations` steps (#1); a clock leaves as many as it can at the mean time of those so far."""
    left: float = progress.iterations - progress.step
    if progress.cap_seconds and progress.step:
        left = (progress.cap_seconds - progress.seconds) * progress.step / progress.seconds
    return left / cfg.train.warmdown_iterations
