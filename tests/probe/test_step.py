"""One token at a time gives what the fast path gives, as distributions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.model.gpt import GPT
from toolkit.components.scoring.score import score_blocks, score_windows
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.train import Train
from toolkit.probe.steps.step import TriePredictor, WindowPredictor, score_by_steps

ALONE = Ranks(0, 1, torch.device("cpu"))
STRINGS = [b"", b"", *(bytes([byte]) for byte in b" abcde\xc3\xa9"), b" a", b"ab", b"abc", b" de", "é".encode(), b"a"]


@pytest.fixture(scope="module")
def cfg() -> Config:
    model = Model(vocab_size=len(STRINGS), num_layers=2, model_dim=16, num_heads=2, num_kv_heads=1, embed_init_std=0.5)
    return Config(
        model=model,
        train=Train(seq_len=8, batch_tokens=8, micro_batches=1),
        evaluate=Evaluate(stride=3),
        ppm_trie=PpmTrie(table_bits=12),
    )


@pytest.fixture(scope="module")
def model(cfg: Config) -> GPT:
    torch.manual_seed(0)
    return GPT(cfg)


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    """Words that return, with tokens of no bytes between them."""
    generator = np.random.default_rng(0)
    words = [[0], [10, 11], [12, 13], [8, 9], [2, 15, 4], [1, 0]]
    return torch.tensor([token for word in generator.integers(0, 6, 40) for token in words[word]])


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_windows(cfg: Config, model: GPT, tokens: torch.Tensor, stride: int) -> None:
    fast = score_windows(cfg, model, tokens, ALONE, stride).numpy()
    slow = score_by_steps(WindowPredictor(cfg, model, int(tokens[0]), stride), tokens[1:].tolist())
    np.testing.assert_allclose(slow, fast, atol=1e-5)
    assert slow.sum() == pytest.approx(fast.sum(), rel=1e-6)


def test_blocks_are_windows_of_full_stride(cfg: Config, model: GPT, tokens: torch.Tensor) -> None:
    slow = score_by_steps(WindowPredictor(cfg, model, int(tokens[0]), cfg.train.seq_len), tokens[1:].tolist())
    np.testing.assert_allclose(slow, score_blocks(cfg, model, tokens, ALONE).numpy(), atol=1e-5)


@pytest.mark.parametrize("engine", ["logistic", "linear"])
def test_the_trie_mixture(cfg: Config, model: GPT, tokens: torch.Tensor, engine: str) -> None:
    cfg = replace(cfg, ppm_trie=replace(cfg.ppm_trie, engine=engine))
    feed = TrieFeed(Trie(STRINGS, ALONE.device), tokens[1:].numpy())
    network = score_windows(cfg, model, tokens, ALONE, cfg.evaluate.stride, feed.add)
    fast = mix_ppm_trie(cfg, tokens[1:].numpy(), feed)
    window = WindowPredictor(cfg, model, int(tokens[0]), cfg.evaluate.stride)
    slow = score_by_steps(TriePredictor(cfg, window, STRINGS), tokens[1:].tolist())
    np.testing.assert_allclose(slow, fast.numpy(), atol=1e-4)
    assert slow.sum() == pytest.approx(fast.sum().item(), rel=1e-4)
    assert fast.sum() < 0.95 * network.sum()


def test_every_prediction_is_a_distribution(cfg: Config, model: GPT, tokens: torch.Tensor) -> None:
    """To 1e-9, after tokens without bytes and inside a character of two byte pieces as anywhere else.

    Choice by choice and over the vocabulary: what a token's choices multiply to is what all tokens are charged by.
    """
    window = WindowPredictor(cfg, model, int(tokens[0]), cfg.evaluate.stride)
    predictor = TriePredictor(cfg, window, STRINGS)

    def check(probabilities: np.ndarray, outcome: int) -> None:
        assert probabilities.min() > 0
        assert probabilities.sum() == pytest.approx(1, abs=1e-9)

    for token in tokens[1:].tolist():
        nats = predictor.mixer.score_all(predictor.stretches())
        assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-9)
        assert score_by_steps(predictor, [token], check) == pytest.approx(nats[token], abs=1e-9)
