"""One layer."""

from torch import Tensor, nn

from toolkit.components.config import Config


class Attention(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg

    def forward(
        self,
        x: Tensor,
        value_embed: Tensor | None,  # goes with its line
        first_values: list[Tensor] | None = None,
    ) -> Tensor:
        if value_embed is not None:
            x = x + value_embed
        if self.cfg.model.value_residual:
            assert first_values is not None
            first_values.append(x)
        return x * 2


class Block(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.attn = Attention(cfg)

    def forward(self, x: Tensor, value_embed: Tensor | None, first_values: list[Tensor] | None = None) -> Tensor:
        return x + self.attn(x, value_embed, first_values)
