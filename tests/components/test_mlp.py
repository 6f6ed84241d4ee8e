"""The squared rectifiers, values and slopes."""

import pytest
import torch

from toolkit.components.config import Config
from toolkit.components.model.mlp import MLP
from toolkit.components.settings.model import Model


@pytest.mark.parametrize(("activation", "slope"), [("relu2", 0.0), ("leaky_relu2", 0.5)])
def test_mlp_is_the_square_of_a_rectifier_between_two_matrices(activation: str, slope: float) -> None:
    mlp = MLP(Config(model=Model(model_dim=16, num_heads=2, num_kv_heads=1, mlp_mult=3, activation=activation)))
    assert mlp.fc.weight.shape == (48, 16)
    assert not mlp.proj.weight.any()
    torch.nn.init.normal_(mlp.proj.weight)
    x = torch.randn(2, 5, 16)
    h = x @ mlp.fc.weight.T
    expected = torch.where(h > 0, h, slope * h) ** 2 @ mlp.proj.weight.T
    torch.testing.assert_close(mlp(x), expected)
