"""What a behavioural probe looks at: an evaluation, which charges nats for every target of a stream.

The probes know nothing else of it: not how many stages there are, whether a network, a mixer or an adaptation makes the
charges, or in which order. Target i is token i + 1; the first token is context alone.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from torch import Tensor

from toolkit.components.config import Config
from toolkit.errors import GolfError

Report = Callable[[str, np.ndarray], None]


class Evaluation(Protocol):
    """A complete evaluation, from its initial state; calls do not influence each other."""

    def __call__(self, tokens: Tensor, report: Report) -> None:
        """Score a stream int64[N]; `report` is given each stage's name and nats float64[N - 1] when they are final."""
        ...


def require_stage(cfg: Config, stage: str) -> None:
    """`GolfError` unless it is one of the recipe's stages."""
    if stage not in cfg.evaluate.stages:
        raise GolfError(f"--stage: expected one of {', '.join(cfg.evaluate.stages)}, found {stage}")


def label_stages(cfg: Config, labels: Iterable[str]) -> dict[str, str]:
    """A recipe's stages by the labels of a run's scores: stages report as `final_...`, in the recipe's order."""
    return dict(zip((label for label in labels if label.startswith("final_")), cfg.evaluate.stages, strict=True))


def nats_by_stage(evaluate: Evaluation, tokens: Tensor) -> dict[str, np.ndarray]:
    """Nats float64[N - 1] of all stages, in their order."""
    nats: dict[str, np.ndarray] = {}
    evaluate(tokens, nats.__setitem__)
    return nats


def replaced(tokens: Tensor, index: int, token: int) -> Tensor:
    """A copy of the stream with one token exchanged."""
    copy = tokens.clone()
    copy[index] = token
    return copy
