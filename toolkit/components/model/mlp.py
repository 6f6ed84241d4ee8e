"""Feed-forward layer with a squared rectifier."""

import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.linear import CastedLinear


class MLP(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim] through `hidden_dim`; the second matrix starts at zero."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.fc = CastedLinear(cfg, cfg.model.model_dim, cfg.model.hidden_dim)
        self.proj = CastedLinear(cfg, cfg.model.hidden_dim, cfg.model.model_dim, zero_init=True)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.fc(x), 0.5 if self.cfg.model.activation == "leaky_relu2" else 0.0)
        return self.proj(h.square())
