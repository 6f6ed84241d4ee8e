"""The table of value rows."""

import pytest
import torch

from toolkit.components.config import Config
from toolkit.components.model.value_embedding import ValueEmbedding
from toolkit.components.settings.model import Model


def test_rows_are_projected_and_scaled() -> None:
    torch.manual_seed(0)
    cfg = Config(model=Model(vocab_size=64, value_embed_dim=32, value_embed_layers=(3,)))
    ve = ValueEmbedding(cfg)
    tokens = torch.tensor([[5, 0, 5]])
    assert ve.embed.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert ve.scale.item() == pytest.approx(0.1)
    assert not ve(tokens).any()  # the projection starts at zero

    torch.nn.init.normal_(ve.proj.weight)
    torch.nn.init.constant_(ve.scale, 3.0)
    expected = 3.0 * ve.embed.weight[[5, 0, 5]] @ ve.proj.weight.T
    torch.testing.assert_close(ve(tokens)[0], expected)
    assert ve(tokens).shape == (1, 3, cfg.model.kv_dim)
