"""The windows of `components/scoring/windows.py`, one target at a time."""

import torch
from torch import Tensor, nn

from toolkit.components.config import Config


class WindowScorer:
    """The network on the window that scores the next target in `window_rows`; `stride = seq_len` for blocks."""

    def __init__(self, cfg: Config, model: nn.Module, first_token: int, stride: int) -> None:
        self.model = model
        self.seq_len = cfg.train.seq_len
        self.stride = stride
        self.tokens = [first_token]

    def logits(self) -> Tensor:
        target = len(self.tokens) - 1
        window = max(0, -((self.seq_len - 1 - target) // self.stride))  # the first one that reaches the target
        context = torch.tensor([self.tokens[window * self.stride :]], device=next(self.model.parameters()).device)
        with torch.inference_mode():
            return self.model(context)[:, -1].float()

    def observe(self, token: int) -> None:
        self.tokens.append(token)
