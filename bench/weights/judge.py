"""What a change of weights does to the network's predictions on the first validation tokens."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolkit.components.model.gpt import GPT

TOKENS = 65_536  # scored; the divergence is taken over the first half of them
BATCH_WINDOWS = 32


@dataclass(frozen=True)
class Loss:
    """In bits per byte."""

    divergence: float  # KL of the float network's predictions to the rounded one's
    bpb: float  # above the float network's score


class Judge:
    """Holds the float network's predictions, in windows without overlap."""

    def __init__(self, model: GPT, seq_len: int, tokens: Tensor, target_bytes: np.ndarray) -> None:
        self.model = model
        self.state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.inputs, self.targets = (tokens[i : TOKENS + i].view(-1, seq_len) for i in (0, 1))
        self.half = len(self.inputs) // 2
        self.bits_of_all = math.log(2) * target_bytes[:TOKENS].sum()
        self.bits_of_half = math.log(2) * target_bytes[: TOKENS // 2].sum()
        self.logs, self.nats = self.predict()

    @torch.no_grad()
    def predict(self) -> tuple[list[Tensor], Tensor]:
        """Log-probabilities of the first half's batches, and the nats of all targets."""
        logs, nats = [], []
        for first in range(0, len(self.inputs), BATCH_WINDOWS):
            batch = self.model(self.inputs[first : first + BATCH_WINDOWS]).log_softmax(-1)
            nats.append(-batch.gather(-1, self.targets[first : first + BATCH_WINDOWS, :, None]).double().flatten())
            if first < self.half:
                logs.append(batch)
        return logs, torch.cat(nats)

    def loss(self, weights: dict[str, Tensor]) -> Loss:
        """With these weights in place of the network's own."""
        self.model.load_state_dict(self.state | weights)
        logs, nats = self.predict()
        self.model.load_state_dict(self.state)
        divergence = sum((p.exp() * (p - q)).sum().item() for p, q in zip(self.logs, logs, strict=True))
        return Loss(divergence / self.bits_of_half, (nats - self.nats).sum().item() / self.bits_of_all)
