"""One token at a time gives what the fast path gives, as distributions."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_trie import mix_ppm_trie
from toolkit.components.mixing.trie import Trie, TrieFeed
from toolkit.components.model.gpt import GPT
from toolkit.components.scoring.roundtrip import roundtrip_rows
from toolkit.components.scoring.score import charge
from toolkit.components.scoring.sliding import sliding_rows
from toolkit.components.settings.evaluate import STAGES, Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.train import Train
from toolkit.probe.steps.ppm_trie import TriePredictor
from toolkit.probe.steps.step import Predictor, ScorerPredictor, score_by_steps, stage_predictor

ALONE = Ranks(0, 1, torch.device("cpu"))
STRINGS = [b"", b"", *(bytes([byte]) for byte in b" abcde\xc3\xa9"), b" a", b"ab", b"abc", b" de", "é".encode(), b"a"]
ROWS = {"roundtrip": roundtrip_rows, "sliding": sliding_rows}


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
def tokens() -> Tensor:
    """Words that return, with tokens of no bytes between them."""
    generator = np.random.default_rng(0)
    words = [[0], [10, 11], [12, 13], [8, 9], [2, 15, 4], [1, 0]]
    return torch.tensor([token for word in generator.integers(0, 6, 40) for token in words[word]])


def by_steps(cfg: Config, stage: str, model: GPT, tokens: Tensor) -> Predictor:
    return stage_predictor(cfg, stage, model, STRINGS, int(tokens[0]), len(tokens) - 1)


@pytest.mark.parametrize("scorer", ROWS)
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_scorers(cfg: Config, model: GPT, tokens: Tensor, scorer: str, stride: int) -> None:
    cfg = replace(cfg, evaluate=Evaluate(stride=stride))
    fast = charge(scorer, ROWS[scorer](cfg, model, tokens, ALONE), tokens, ALONE).numpy()
    slow = score_by_steps(by_steps(cfg, scorer, model, tokens), tokens[1:].tolist())
    np.testing.assert_allclose(slow, fast, atol=1e-5)
    assert slow.sum() == pytest.approx(fast.sum(), rel=1e-6)


@pytest.mark.parametrize("engine", ["logistic", "linear"])
@pytest.mark.parametrize("scorer", ROWS)
def test_the_trie_mixture(cfg: Config, model: GPT, tokens: Tensor, scorer: str, engine: str) -> None:
    cfg = replace(cfg, ppm_trie=replace(cfg.ppm_trie, engine=engine))
    feed = TrieFeed(Trie(STRINGS, ALONE.device), tokens[1:].numpy())
    network = charge(scorer, feed.tap(ROWS[scorer](cfg, model, tokens, ALONE)), tokens, ALONE)
    fast = mix_ppm_trie(cfg, tokens[1:].numpy(), feed)
    slow = score_by_steps(by_steps(cfg, f"{scorer}+ppm_trie", model, tokens), tokens[1:].tolist())
    np.testing.assert_allclose(slow, fast.numpy(), atol=1e-4)
    assert slow.sum() == pytest.approx(fast.sum().item(), rel=1e-4)
    assert fast.sum() < 0.95 * network.sum()


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_its_form(cfg: Config, model: GPT, tokens: Tensor, stage: str) -> None:
    """But for the one whose charges are no distribution."""
    if stage.endswith("+ppm_seed"):
        with pytest.raises(LookupError, match=r"^ppm_seed has no form .*: its charges are no probability"):
            by_steps(cfg, stage, model, tokens)
    else:
        assert score_by_steps(by_steps(cfg, stage, model, tokens), tokens[1:3].tolist()).min() > 0


class Countdown:
    """A scorer that is sure of the number of targets that are left."""

    def __init__(self, cfg: Config, model: GPT, first_token: int, num_targets: int) -> None:
        self.left = num_targets

    def logits(self) -> Tensor:
        return 100.0 * torch.nn.functional.one_hot(torch.tensor([self.left]), len(STRINGS))

    def observe(self, token: int) -> None:
        self.left -= 1


def test_a_form_is_found_by_name_and_knows_the_number_of_targets(
    cfg: Config, model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = torch.tensor([9, 4, 3, 2, 1])
    with pytest.raises(LookupError, match=r"^countdown: expected its form of one token at a time in probe/steps"):
        by_steps(cfg, "countdown", model, tokens)
    monkeypatch.setitem(sys.modules, "toolkit.probe.steps.countdown", SimpleNamespace(scorer=Countdown))
    assert score_by_steps(by_steps(cfg, "countdown", model, tokens), tokens[1:].tolist()).max() < 1e-9
    assert score_by_steps(by_steps(cfg, "countdown+ppm_trie", model, tokens), tokens[1:].tolist()).max() < 1


def test_every_prediction_is_a_distribution(cfg: Config, model: GPT, tokens: Tensor) -> None:
    """To 1e-9, after tokens without bytes and inside a character of two byte pieces as anywhere else.

    Choice by choice and over the vocabulary: what a token's choices multiply to is what all tokens are charged by.
    """
    predictor = by_steps(cfg, "sliding+ppm_trie", model, tokens)
    assert isinstance(predictor, TriePredictor)

    def check(probabilities: np.ndarray, outcome: int) -> None:
        assert probabilities.min() > 0
        assert probabilities.sum() == pytest.approx(1, abs=1e-9)

    for token in tokens[1:].tolist():
        nats = predictor.mixer.score_all(predictor.stretches())
        assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-9)
        assert score_by_steps(predictor, [token], check) == pytest.approx(nats[token], abs=1e-9)


def test_a_scorer_alone_is_one_choice_of_the_vocabulary(cfg: Config, model: GPT, tokens: Tensor) -> None:
    predictor = by_steps(cfg, "roundtrip", model, tokens)
    assert isinstance(predictor, ScorerPredictor)
    seen: list[int] = []
    score_by_steps(predictor, tokens[1:4].tolist(), lambda probabilities, outcome: seen.append(outcome))
    assert seen == tokens[1:4].tolist()
