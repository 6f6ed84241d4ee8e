import torch
from torch import Tensor, nn


# ------------------------------------------------------- block --------------------------------------------------------
# One layer.


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()

    def forward(
        self,
        x: Tensor,
    ) -> Tensor:
        return x * 2


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = Attention()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(x)


# -------------------------------------------------------- main --------------------------------------------------------
# What a recipe leaves off goes through calls of modules.


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(2))

    def forward(self, x: Tensor, targets: Tensor | None = None) -> Tensor:
        for i, block in enumerate(self.blocks):
            x = block(x)
        return x if targets is None else (x - targets).square()


def stack_on(device: str) -> Stack:
    stack = Stack().to(device)
    if device == "cuda":
        stack.compile()
    return stack


def main(script: str) -> None:
    stack = stack_on("cpu")
    print(stack(torch.ones(2)).tolist(), stack(torch.ones(2), torch.zeros(2)).tolist())
    print([name for name, module in stack.named_modules() if isinstance(module, Block)])


if __name__ == "__main__":
    main(__file__)
