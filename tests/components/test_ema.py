"""The average of weights against its definition."""

from dataclasses import replace

import torch
from torch import nn

from toolkit.components.config import Config
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.training.ema import WeightAverage

DECAY = 0.9


def test_average_is_the_weighted_sum_of_all_weights_so_far() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2).bfloat16())
    average = WeightAverage(replace(Config(), optimizer=Optimizer(ema_decay=DECAY)), model)
    history = [{name: tensor.double().clone() for name, tensor in model.state_dict().items()}]
    for _ in range(20):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update()
        history.append({name: tensor.double().clone() for name, tensor in model.state_dict().items()})
    last = len(history) - 1
    average.apply()
    for name, tensor in model.state_dict().items():
        expected = DECAY**last * history[0][name]
        for i in range(1, last + 1):
            expected += (1 - DECAY) * DECAY ** (last - i) * history[i][name]
        assert tensor.dtype == (torch.bfloat16 if name.startswith("1.") else torch.float32)
        tolerance = 2**-8 if tensor.dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(tensor.double(), expected, rtol=tolerance, atol=tolerance)


def test_weights_are_untouched_until_the_average_is_applied() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(replace(Config(), optimizer=Optimizer(ema_decay=DECAY)), model)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average.update()
    assert (model.weight == 1).all()
