"""A class that keeps the recipe, and a function that takes it."""

from toolkit.components.config import Config


class Model:
    def __init__(
        self,
        cfg: Config,
        width: int,
    ) -> None:
        self.cfg = cfg
        self.width = width

    def run(self, cfg: Config, x: int) -> int:
        return x * self.width + self.cfg.model.num_layers - cfg.model.num_heads


def scaled(cfg: Config, x: float = 1.0) -> float:
    return x * cfg.model.qk_gain
