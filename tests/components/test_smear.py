"""The gate that lets a position see the one before it."""

from types import SimpleNamespace

import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.model.smear import smear
from toolkit.components.settings.model import Model

CFG = Config(model=Model(smear_gate=True))


def smeared(x: Tensor, gate: Tensor) -> Tensor:
    return smear(CFG, SimpleNamespace(smear_gate=gate), x)


def test_half_of_each_neighbour_at_the_start_of_training() -> None:
    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    mixed = smeared(x, torch.zeros(3))
    torch.testing.assert_close(mixed[:, 0], x[:, 0] / 2)
    torch.testing.assert_close(mixed[:, 1:], (x[:, 1:] + x[:, :-1]) / 2)


def test_each_channel_has_its_own_gate() -> None:
    x = torch.tensor([[[1.0, 1.0], [3.0, 3.0]]])
    mixed = smeared(x, torch.tensor([-100.0, 100.0]))
    torch.testing.assert_close(mixed, torch.tensor([[[1.0, 0.0], [3.0, 1.0]]]))


def test_the_dtype_is_that_of_the_activations() -> None:
    assert smeared(torch.ones(1, 2, 3, dtype=torch.bfloat16), torch.zeros(3)).dtype == torch.bfloat16
