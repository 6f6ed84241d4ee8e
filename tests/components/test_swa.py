"""The mean of snapshots against its definition."""

import torch
from torch import nn

from toolkit.components.config import Config
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.training.swa import SnapshotMean

CFG = Config(optimizer=Optimizer(swa_every_steps=3, swa_below=0.5))


def test_the_mean_is_over_every_third_step_once_rates_are_low() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    snapshots = SnapshotMean(CFG, model)
    taken = {}
    for step in range(1, 20):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        scale = 1 - step / 20
        if snapshots.update(step, scale):
            taken[step] = model.weight.detach().clone()
    assert list(taken) == [12, 15, 18]
    assert snapshots.count == 3
    snapshots.apply()
    torch.testing.assert_close(model.weight.detach(), torch.stack(list(taken.values())).mean(0))


def test_without_a_snapshot_the_weights_stay() -> None:
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    snapshots = SnapshotMean(CFG, model)
    with torch.no_grad():
        model.weight.add_(1)
    assert not snapshots.update(3, 0.5)
    snapshots.apply()
    assert torch.equal(model.weight, before + 1)
