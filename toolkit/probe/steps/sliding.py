"""The scorer `sliding` one token at a time."""

from torch import nn

from toolkit.components.config import Config
from toolkit.probe.steps.windows import WindowScorer


def scorer(cfg: Config, model: nn.Module, first_token: int, num_targets: int) -> WindowScorer:
    return WindowScorer(cfg, model, first_token, cfg.evaluate.stride)
