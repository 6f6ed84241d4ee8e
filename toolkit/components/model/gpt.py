"""The language model: tied embeddings around a stack of blocks with U-Net skips."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.bigram import BigramHash
from toolkit.components.model.block import Block
from toolkit.components.model.levels import init_levels
from toolkit.components.model.linear import CastedEmbedding, rms_norm
from toolkit.components.model.rotary import rotary_tables
from toolkit.components.model.smear import smear
from toolkit.components.model.value_embedding import ValueEmbedding


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
        self.skip_weights = nn.Parameter(torch.ones(cfg.model.num_skips, cfg.model.model_dim))
        if cfg.model.skip_gates:
            self.skip_gates = nn.Parameter(torch.zeros(cfg.model.num_skips, cfg.model.model_dim))
        if cfg.model.value_embed_dim:
            self.ve = ValueEmbedding(cfg)
            self.ve_layer_scales = nn.Parameter(torch.ones(len(cfg.model.value_embed_layers)))
        if cfg.model.bigram_dim:
            self.bigram = BigramHash(cfg)
        if cfg.model.smear_gate:
            self.smear_gate = nn.Parameter(torch.zeros(cfg.model.model_dim))
        init_levels(cfg, self)

    def merge_skip(self, x: Tensor, skip: Tensor, i: int) -> Tensor:
        """Residual x of a decoder layer with the output of its encoder layer; i counts decoder layers."""
        skip = self.skip_weights[i].to(x.dtype) * skip
        if self.cfg.model.skip_gates:
            return torch.lerp(skip, x, torch.sigmoid(self.skip_gates[i].to(x.dtype)))
        return x + skip

    def final_hidden(self, tokens: Tensor) -> Tensor:
        """Normed output of the last block [B, T, model_dim] for tokens int64 [B, T]: what the tied head reads."""
        x = self.tok_emb(tokens)
        if self.cfg.model.bigram_dim:
            x = x + self.bigram(tokens)
        x = rms_norm(x)
        if self.cfg.model.smear_gate:
            x = smear(x, self.smear_gate)
        x0 = x
        rotary = rotary_tables(self.cfg, tokens.size(1), x)
        skips: list[Tensor] = []
        if self.cfg.model.value_residual:
            first_values: list[Tensor] = []
        if self.cfg.model.value_embed_dim:
            scales = self.ve_layer_scales.to(x.dtype)
            values = self.ve(tokens)
            value_embeds = {layer: values * scales[i] for i, layer in enumerate(self.cfg.model.value_embed_layers)}
        for layer, block in enumerate(self.blocks):
            # The first half of the layers push, the rest pop; with an odd number the last one has nothing to pop.
            if layer >= self.cfg.model.num_skips and skips:
                x = self.merge_skip(x, skips.pop(), layer - self.cfg.model.num_skips)
            value_embed = value_embeds.get(layer) if self.cfg.model.value_embed_dim else None
            x = block(x, x0, rotary, value_embed, first_values if self.cfg.model.value_residual else None)
            if layer < self.cfg.model.num_skips:
                skips.append(x)
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
