"""Which optimizer trains which parameter: Muon the linear maps, AdamW tables, gains and scales."""

import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT, parameter_kind
from toolkit.components.training.muon import Muon
from toolkit.components.training.schedule import muon_momentum


def make_optimizers(cfg: Config, model: GPT, ranks: Ranks) -> list[torch.optim.Optimizer]:
    """Muon and AdamW in their initial states; `set_rates` schedules them."""
    groups: dict[str, list[Tensor]] = {"embed": [], "matrix": [], "scalar": []}
    for name, param in model.named_parameters():
        groups[parameter_kind(name)].append(param)
    adamw = torch.optim.AdamW(
        [
            {
                "params": groups["embed"],
                "lr": cfg.optimizer.embed_lr,
                "weight_decay": cfg.optimizer.embed_weight_decay,
            },
            {
                "params": groups["scalar"],
                "lr": cfg.optimizer.scalar_lr,
                "weight_decay": cfg.optimizer.scalar_weight_decay,
            },
        ],
        betas=(cfg.optimizer.beta1, cfg.optimizer.beta2),
        eps=cfg.optimizer.adam_eps,
        fused=ranks.device.type == "cuda",
    )
    return [Muon(cfg, groups["matrix"], ranks), adamw]


def set_rates(cfg: Config, optimizers: list[torch.optim.Optimizer], step: int, scale: float) -> None:
    """Learning rates of `scale` times the recipe's, and Muon's momentum, for the step numbered from 0."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = scale * group.setdefault("base_lr", group["lr"])
            group["momentum"] = muon_momentum(cfg, step)  # AdamW has none and does not look
