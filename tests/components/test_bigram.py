"""The table of hashed pairs."""

import pytest
import torch

from toolkit.components.config import Config
from toolkit.components.model.bigram import BigramHash, hash_pairs
from toolkit.components.settings.model import Model


def test_rows_depend_on_the_last_two_tokens_and_the_first_has_its_own() -> None:
    tokens = torch.tensor([[5, 7, 1023, 5, 7], [0, 0, 65_534, 65_534, 0]])
    rows = hash_pairs(tokens, 2048)
    assert (rows[:, 0] == 2047).all()
    assert rows[0, 1] == rows[0, 4] == (36313 * 7 ^ 27191 * 5) % 2047
    assert rows[1, 1] == 0
    assert ((rows[:, 1:] >= 0) & (rows[:, 1:] < 2047)).all()


def test_rows_are_projected_and_scaled() -> None:
    torch.manual_seed(0)
    bigram = BigramHash(Config(model=Model(model_dim=64, bigram_dim=16, bigram_buckets=128)))
    tokens = torch.tensor([[3, 1, 2]])
    assert bigram.scale.item() == pytest.approx(0.05)
    assert bigram.embed.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not bigram(tokens).any()  # the projection starts at zero
    torch.nn.init.normal_(bigram.proj.weight)
    expected = 0.05 * bigram.embed.weight[hash_pairs(tokens, 128)] @ bigram.proj.weight.T
    torch.testing.assert_close(bigram(tokens), expected)


def test_it_leaves_zero_in_two_steps() -> None:
    bigram = BigramHash(Config(model=Model(model_dim=64, bigram_dim=16, bigram_buckets=32)))
    optimizer = torch.optim.SGD(bigram.parameters(), lr=1.0)
    before = bigram.embed.weight.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        bigram(torch.tensor([[3, 1, 2]])).sum().backward()
        optimizer.step()
    assert bigram.proj.weight.any()
    assert (bigram.embed.weight != before).any()
