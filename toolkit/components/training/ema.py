"""Exponential moving average of a model's weights: evaluated and quantized in place of the last step's."""

from torch import nn

from toolkit.components.config import Config


class WeightAverage:
    """fp32 average over the state dict, starting from the initial weights; no bias correction."""

    def __init__(self, cfg: Config, model: nn.Module) -> None:
        self.cfg = cfg
        self.live = list(model.state_dict().values())  # they share memory with the model
        self.mean = [tensor.float().clone() for tensor in self.live]

    def update(self) -> None:
        """average = decay * average + (1 - decay) * weights."""
        for average, tensor in zip(self.mean, self.live, strict=True):
            average.lerp_(tensor.float(), 1 - self.cfg.optimizer.ema_decay)

    def apply(self) -> None:
        """Put the average in place of the model's weights."""
        for average, tensor in zip(self.mean, self.live, strict=True):
            tensor.copy_(average)
