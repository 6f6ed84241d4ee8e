"""Stages that go one token at a time: what a decoder can do. Slow, and never part of a bundle.

A token comes by one choice, or by several as on the vocabulary's trie: each is put as the probabilities of its outcomes
before one is known. Every evaluation that is a code length can be put this way and then charges -ln of the outcomes'
probabilities: what the fast path of `components/stages.py` charges.

The form of a scorer or mixer stands in the file of this folder that has its name: a scorer's as the function
`scorer(cfg, model, first_token, num_targets) -> Scorer`, a mixer's as `mixer(cfg, scorer, strings, num_targets) ->
Predictor`, for any scorer below it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from toolkit.components.config import Config

# Which of n outcomes came, given their probabilities float64[n], and the outcome of each token, int or bool[V]; that of
# tokens which earlier choices have ruled out means nothing.
Choose = Callable[[np.ndarray, np.ndarray], int]


class Predictor(Protocol):
    """The form in which any legal stage can be written."""

    def step(self, choose: Choose) -> int:
        """Move on by one token, choice by choice; the token."""
        ...


class Scorer(Protocol):
    """A scorer, row by row."""

    def logits(self) -> Tensor:
        """Logits float32 [1, V] of the next target, from what has been observed."""
        ...

    def observe(self, token: int) -> None:
        """Move on by one token."""
        ...


class ScorerPredictor:
    """A scorer alone: a token is one choice of the whole vocabulary."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def step(self, choose: Choose) -> int:
        probabilities = self.scorer.logits()[0].double().softmax(0).cpu().numpy()
        token = choose(probabilities, np.arange(len(probabilities)))
        self.scorer.observe(token)
        return token


def stage_predictor(
    cfg: Config,
    stage: str,
    model: nn.Module,
    strings: list[bytes],  # bytes of each token of the vocabulary
    first_token: int,  # of the stream; it is context only, no target
    num_targets: int,  # of the stream; a stage may plan for them
) -> Predictor:
    """The predictor of a stage at the start of a stream; `LookupError` that says why for a stage without one."""
    scorer, _, mixer = stage.partition("+")
    below: Scorer = _form(scorer).scorer(cfg, model, first_token, num_targets)
    if not mixer:
        return ScorerPredictor(below)
    predictor: Predictor = _form(mixer).mixer(cfg, below, strings, num_targets)
    return predictor


def _form(name: str) -> Any:
    """The module of a scorer or mixer."""
    try:
        return import_module(f"toolkit.probe.steps.{name}")
    except ModuleNotFoundError as error:
        raise LookupError(f"{name}: expected its form of one token at a time in probe/steps, found none") from error


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
