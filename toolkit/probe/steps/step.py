"""Predictors that go one token at a time: what a decoder can do. Slow, and never part of a bundle.

A token comes by one choice, or by several as on the vocabulary's trie: each is put as the probabilities of its outcomes
before one is known. Every evaluation that is a code length can be put this way and then charges -ln of the outcomes'
probabilities: what the fast path of `components/evaluate.py` charges. The stage `ppm_seed` has no predictor, since its
charges are no distribution.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.mixing.trie import Trie
from toolkit.probe.steps.stepping import Choose, SteppingMixer


class Predictor(Protocol):
    """The form in which any legal scorer can be written."""

    def step(self, choose: Choose) -> int:
        """Move on by one token, choice by choice; the token."""
        ...


class WindowPredictor:
    """The network on the window that scores the next target in `window_logits`; `stride = seq_len` for blocks."""

    def __init__(
        self,
        cfg: Config,
        model: nn.Module,
        first_token: int,  # of the stream; it is context only, no target
        stride: int,
    ) -> None:
        self.model = model
        self.seq_len = cfg.train.seq_len
        self.stride = stride
        self.tokens = [first_token]

    def logits(self) -> Tensor:
        """Logits float32 [1, V] of the next target."""
        target = len(self.tokens) - 1
        window = max(0, -((self.seq_len - 1 - target) // self.stride))  # the first one that reaches the target
        context = torch.tensor([self.tokens[window * self.stride :]], device=next(self.model.parameters()).device)
        with torch.inference_mode():
            return self.model(context)[:, -1].float()

    def step(self, choose: Choose) -> int:
        probabilities = self.logits()[0].double().softmax(0).cpu().numpy()
        self.tokens.append(choose(probabilities, np.arange(len(probabilities))))
        return self.tokens[-1]


class TriePredictor:
    """The mixer of `ppm_trie` on top of a window."""

    def __init__(self, cfg: Config, window: WindowPredictor, strings: list[bytes]) -> None:
        self.window = window
        self.trie = Trie(strings, torch.device("cpu"))
        self.mixer = SteppingMixer(cfg, self.trie)

    def stretches(self) -> np.ndarray:
        """The network's log-odds of all decisions, float32[V - 1]."""
        nodes = torch.arange(len(self.trie.partials))
        return self.trie.stretches(self.window.logits().cpu(), torch.zeros_like(nodes), nodes).numpy()

    def step(self, choose: Choose) -> int:
        token = self.mixer.step(self.stretches(), choose)
        self.window.tokens.append(token)
        return token


def score_by_steps(
    predictor: Predictor,
    targets: Sequence[int],
    write: Callable[[np.ndarray, int], None] = lambda probabilities, outcome: None,
) -> np.ndarray:
    """Nats of targets scored one by one, float64[n]; `write` is given probabilities and outcome of every choice."""
    nats = np.zeros(len(targets))

    def choose(target: int, probabilities: np.ndarray, outcomes: np.ndarray) -> int:
        outcome = int(outcomes[targets[target]])
        nats[target] -= np.log(probabilities[outcome])
        write(probabilities, outcome)
        return outcome

    for target in range(len(targets)):
        predictor.step(partial(choose, target))
    return nats


def stage_predictor(cfg: Config, stage: str, model: nn.Module, strings: list[bytes], first_token: int) -> Predictor:
    """The predictor of a recipe's stage at the start of a stream; `LookupError` for a stage that has none."""
    window = WindowPredictor(
        cfg, model, first_token, cfg.train.seq_len if stage == "roundtrip" else cfg.evaluate.stride
    )
    match stage:
        case "roundtrip" | "sliding":
            return window
        case "ppm_trie":
            return TriePredictor(cfg, window, strings)
    raise LookupError(f"{stage} has no form of one token at a time")
