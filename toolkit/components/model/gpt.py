"""The language model: tied embeddings around a stack of blocks with U-Net skips."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.bigram import add_bigram, init_bigram
from toolkit.components.model.block import Block
from toolkit.components.model.context import Context
from toolkit.components.model.levels import init_levels
from toolkit.components.model.linear import CastedEmbedding, rms_norm
from toolkit.components.model.rotary import rotary_tables
from toolkit.components.model.skips import init_skips, merge_skip, push_skip
from toolkit.components.model.smear import init_smear, smear
from toolkit.components.model.value_embedding import embed_values, init_value_embedding
from toolkit.components.model.visits import visits


def parameter_kind(name: str) -> str:
    """Group of a parameter by its state-dict name: "embed" (tables), "matrix" (linear maps) or "scalar" (the rest)."""
    if name.endswith(("emb.weight", "embed.weight")):
        return "embed"
    return "matrix" if name.endswith(".weight") else "scalar"


class GPT(nn.Module):
    """Tokens to logits or loss. Initialised under torch's current seed; may be built on the meta device."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.tok_emb = CastedEmbedding(cfg.model.vocab_size, cfg.model.model_dim, cfg.model.embed_init_std)
        self.blocks = nn.ModuleList(Block(cfg, layer) for layer in range(cfg.model.num_layers))
        init_skips(cfg, self)
        init_value_embedding(cfg, self)
        init_bigram(cfg, self)
        init_smear(cfg, self)
        init_levels(cfg, self)

    def final_hidden(self, tokens: Tensor) -> Tensor:
        """Normed output of the last block [B, T, model_dim] for tokens int64 [B, T]: what the tied head reads."""
        x = self.tok_emb(tokens)
        x = add_bigram(self.cfg, self, tokens, x)
        x = rms_norm(x)
        x = smear(self.cfg, self, x)
        ctx = Context(x, rotary_tables(self.cfg, tokens.size(1), x))
        embed_values(self.cfg, self, tokens, ctx)
        for depth, block in enumerate(visits(self.cfg, self, self.blocks)):
            x = merge_skip(self.cfg, self, depth, x, ctx)
            x = block(x, ctx)
            push_skip(self.cfg, self, depth, x, ctx)
        return rms_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """fp32 logits [B, T, vocab_size] of `final_hidden`, bounded by the softcap."""
        z = F.linear(hidden, self.tok_emb.weight.to(hidden.dtype)).float()
        return self.cfg.model.logit_softcap * torch.tanh(z / self.cfg.model.logit_softcap)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits of `tokens`, or the mean loss in nats of targets int64 [B, T]."""
        logits = self.logits(self.final_hidden(tokens))
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
