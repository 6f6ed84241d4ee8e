"""What a recipe leaves off goes through calls of modules."""

import torch
from torch import Tensor, nn

from toolkit.components.block import Block
from toolkit.components.config import Config


class Stack(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(2))

    def forward(self, x: Tensor, targets: Tensor | None = None) -> Tensor:
        if self.cfg.model.value_residual:
            first_values: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            # what the recipe leaves off is None, and passed on
            value_embed = x * i if self.cfg.model.value_embed_dim else None
            x = block(x, value_embed, first_values if self.cfg.model.value_residual else None)
        return x if targets is None else (x - targets).square()


def stack_on(cfg: Config, device: str) -> Stack:
    stack = Stack(cfg).to(device)
    if device == "cuda":
        stack.compile()
    return stack


def main(cfg: Config, script: str) -> None:
    stack = stack_on(cfg, "cpu")
    print(stack(torch.ones(2)).tolist(), stack(torch.ones(2), torch.zeros(2)).tolist())
    print([name for name, module in stack.named_modules() if isinstance(module, Block)])
