"""Muon (Jordan 2024, kellerjordan.github.io/posts/muon): momentum whose matrices are orthogonalised before use."""

import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # slope at zero as steep as convergence allows


def zeropower_via_newtonschulz5(G: Tensor, steps: int) -> Tensor:
    """Nearly U V^T of G = U S V^T [R, C]: the singular values come to lie around 1, between 0.68 and 1.14.

    Quintic Newton-Schulz iteration, five steps for singular values down to 0.01 of G's norm. bf16 on CUDA, else fp32.
    """
    a, b, c = NEWTON_SCHULZ
    X = G.bfloat16() if G.is_cuda else G.float()
    X = X / (X.norm() + 1e-7)
    if G.size(0) > G.size(1):
        X = X.T
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.size(0) > G.size(1) else X


class Muon(torch.optim.Optimizer):
    """Muon for matrices [R, C], with Nesterov momentum and decoupled weight decay, on one rank or many.

    Parameter i belongs to rank i mod world_size, which keeps its momentum and orthogonalises its update; the updates of
    all ranks are then summed in one flat buffer, to which each contributes zeros for what is not its own. Gradients
    must have been averaged over the ranks before.
    """

    def __init__(self, cfg: Config, params: list[Tensor], ranks: Ranks) -> None:
        super().__init__(
            params,
            {
                "lr": cfg.optimizer.matrix_lr,
                "momentum": cfg.optimizer.muon_momentum,
                "weight_decay": cfg.optimizer.matrix_weight_decay,
            },
        )
        self.cfg = cfg
        self.ranks = ranks

    def direction(self, param: Tensor, momentum: float) -> Tensor:
        """Orthogonalised Nesterov update; its scale makes updates of tall matrices as large as those of square ones."""
        if param not in self.state:
            self.state[param] = torch.zeros_like(param)
        buffer = self.state[param]
        buffer.mul_(momentum).add_(param.grad)
        g = param.grad + momentum * buffer
        if self.cfg.optimizer.muon_row_normalize:
            g = g / g.norm(dim=1, keepdim=True).clamp_min(1e-7)  # MuonEq-R (#1217)
        g = zeropower_via_newtonschulz5(g, self.cfg.optimizer.newton_schulz_steps)
        return g * max(1, g.size(0) / g.size(1)) ** 0.5

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            updates = []
            for i, param in enumerate(group["params"]):
                if i % self.ranks.world_size == self.ranks.rank:
                    updates.append(self.direction(param, group["momentum"]))
                else:
                    updates.append(torch.zeros_like(param, dtype=torch.bfloat16 if param.is_cuda else torch.float32))
            self.ranks.sum_all_(updates)
            for param, update in zip(group["params"], updates, strict=True):
                param.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])
