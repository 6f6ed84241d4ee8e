"""What an evaluation does with its tokens, in order: which targets it charges, and which tokens its optimizers use.

A stream in which no token comes twice lets every token tell its place; 0 is left to padding. Tokens that are none of
the stream's, such as random ones to warm up with, stay the same when the stream is rotated by one, so that a place
counts only if both streams have it. Watched are `cross_entropy` and `nll_loss`, which see logits and targets, lookups
in embeddings, and every step of a `torch.optim` optimizer, whoever makes it.

Not covered: counters and caches outside of torch, and weights changed by hand; the sums over the vocabulary and the
comparison of changed streams see what these do.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode

from toolkit.probe.evaluation import Evaluation


@dataclass(frozen=True)
class Scoring:
    """Logits met their targets."""

    targets: tuple[int, ...]  # those of the stream
    nats: np.ndarray  # float64[n] by target
    logits: Tensor  # [n, V]
    for_gradient: bool  # one loss for all, in a graph that leads to parameters


@dataclass(frozen=True)
class Update:
    """An optimizer made a step."""

    tokens: frozenset[int]  # places of all tokens seen in graphs of gradients since the step before
    weights: str  # digest of the weights after it


@dataclass(frozen=True)
class StageTrace:
    """One stage: its events in order, and the nats that it reported in the end."""

    stage: str
    events: tuple[Scoring | Update, ...]
    nats: np.ndarray

    @property
    def updates(self) -> list[Update]:
        return [event for event in self.events if isinstance(event, Update)]


def trace(evaluate: Evaluation, tokens: Tensor) -> list[StageTrace]:
    """Run an evaluation on a stream of unique tokens int64[N], none of them 0, and write down what its stages do."""
    rotated = _Watch(tokens.roll(1), [])
    rotated.run(evaluate)
    return _Watch(tokens, rotated.seen).run(evaluate)


class _Watch(TorchFunctionMode):
    def __init__(self, tokens: Tensor, before: list[list[int]]) -> None:
        super().__init__()
        self.tokens = tokens
        self.places = {token: place for place, token in enumerate(tokens.tolist())}
        self.before = before  # `seen` by another watch
        self.seen: list[list[int]] = []  # places of tokens, by call
        self.events: list[Scoring | Update] = []
        self.pending: set[int] = set()  # tokens in graphs of gradients

    def run(self, evaluate: Evaluation) -> list[StageTrace]:
        stages: list[StageTrace] = []

        def report(stage: str, nats: np.ndarray) -> None:
            stages.append(StageTrace(stage, tuple(self.events), nats))
            self.events.clear()

        handle = register_optimizer_step_post_hook(self.stepped)
        try:
            with torch.random.fork_rng(devices=[]), self:
                torch.manual_seed(0)
                evaluate(self.tokens, report)
        finally:
            handle.remove()
        return stages

    def places_of(self, tokens: Tensor) -> list[int]:
        """Places of tokens in the stream, -1 for those that are not of it."""
        places = [self.places.get(token, -1) for token in tokens.flatten().tolist()]
        before = self.before[len(self.seen)] if len(self.seen) < len(self.before) else []
        self.seen.append(places)
        if len(before) != len(places):
            return places
        return [place if place == other else -1 for place, other in zip(places, before, strict=True)]

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in (F.cross_entropy, F.nll_loss):
            self.scored(func is F.nll_loss, args[0], args[1], kwargs.get("reduction", "mean"))
        elif func is F.embedding and result.requires_grad:
            self.pending.update(self.places_of(args[0]))
        return result

    def scored(self, is_log: bool, logits: Tensor, targets: Tensor, reduction: str) -> None:
        places = [place - 1 for place in self.places_of(targets)]
        known = [row for row, place in enumerate(places) if place >= 0]
        mine = tuple(places[row] for row in known)
        rows = logits.detach().movedim(1, -1) if logits.dim() > 2 else logits.detach()
        rows = rows.reshape(-1, rows.size(-1)).cpu()[known].clone()
        with torch.no_grad():
            log_probabilities = rows if is_log else rows.log_softmax(-1)
            nats = -log_probabilities.gather(-1, targets.flatten().cpu()[known, None])[:, 0]
        if logits.requires_grad:
            self.pending.update(target + 1 for target in mine)
        for_gradient = logits.requires_grad and reduction != "none"
        self.events.append(Scoring(mine, nats.double().numpy(), rows, for_gradient))

    def stepped(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        digest = hashlib.sha256()
        for group in optimizer.param_groups:
            for param in group["params"]:
                digest.update(param.detach().cpu().contiguous().numpy().tobytes())
        self.events.append(Update(frozenset(self.pending - {-1}), digest.hexdigest()))
        self.pending.clear()
