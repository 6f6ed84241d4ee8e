"""Stochastic weight averaging: the mean of snapshots late in training replaces the last step's weights."""

from torch import nn

from toolkit.components.config import Config


class SnapshotMean:
    """fp32 mean over the state dict at regular steps, once the learning rates have fallen far enough."""

    def __init__(self, cfg: Config, model: nn.Module) -> None:
        self.cfg = cfg
        self.live = list(model.state_dict().values())  # they share memory with the model
        self.mean = [tensor.float().clone() for tensor in self.live]
        self.count = 0

    def update(self, step: int, scale: float) -> bool:
        """Whether the weights after this step, taken at this factor of the learning rates, became a snapshot."""
        if scale >= self.cfg.optimizer.swa_below or step % self.cfg.optimizer.swa_every_steps:
            return False
        self.count += 1
        for mean, tensor in zip(self.mean, self.live, strict=True):
            mean.lerp_(tensor.float(), 1 / self.count)
        return True

    def apply(self) -> None:
        """Put the mean in place of the model's weights, if there is one."""
        if self.count:
            for mean, tensor in zip(self.mean, self.live, strict=True):
                tensor.copy_(mean)
