"""The `[model]` table: shape and switches of the network."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from toolkit.components.settings.field import above, at_least, between, one_of, require, setting
from toolkit.components.settings.section import Section

if TYPE_CHECKING:
    from toolkit.components.config import Config

SMALL_VOCAB_SIZE = 300  # of a miniature: 256 bytes and some pieces
SMALL_HEAD_DIM = 16


@dataclass(frozen=True)
class Model(Section):
    """Shape and switches of the GPT stack; the defaults are the organisers' baseline."""

    name: ClassVar[str] = "model"
    reads_artifact: ClassVar[bool] = True

    vocab_size: int = setting(
        1024,
        "tokens of the vocabulary, as many as the tokenizer has; shards hold uint16",
        between(1, 65_535),
        log="always",
    )
    num_layers: int = setting(9, "blocks, each attention and an MLP", above(0), log="always")
    model_dim: int = setting(512, "width of the residual stream; a multiple of num_heads", above(0), log="always")
    num_heads: int = setting(8, "query heads", above(0), log="always")
    num_kv_heads: int = setting(4, "key/value heads; divides num_heads", above(0), log="always")
    mlp_mult: int = setting(2, "hidden width of the MLP as a multiple of model_dim", above(0), log="always")
    activation: str = setting(
        "relu2",
        "activation of the MLP: relu2 is relu(x)^2, leaky_relu2 is leaky_relu(x, 0.5)^2",
        one_of("relu2", "leaky_relu2"),
        source="#549",
        log="always",
    )
    rope_dims: int = setting(0, "leading dimensions of a head that RoPE rotates, an even number; 0: all", at_least(0))
    rope_base: float = setting(10_000.0, "base of RoPE's wavelengths", above(0), log="always")
    qk_gain: float = setting(1.5, "initial gain of each head on its queries, after RoPE", above(0), log="always")
    logit_softcap: float = setting(30.0, "c in logits = c * tanh(z / c)", above(0), log="always")
    embed_init_std: float = setting(0.005, "standard deviation of initial embeddings", above(0), log="always")
    orthogonal_init: bool = setting(
        False, "initialise orthogonally, with gain 1, matrices with both sides >= 64 that do not start at zero"
    )
    skip_gates: bool = setting(False, "U-Net skips as lerp(w * skip, x, sigmoid(gate)) instead of x + w * skip")
    ln_scale: bool = setting(False, "multiply normed inputs of branches by 1 / sqrt(layer + 1)")
    xsa_layers: int = setting(
        0, "number of last layers that subtract a token's own value component from attention's output", at_least(0)
    )
    value_embed_dim: int = setting(0, "width of the table of value embeddings; 0: off", at_least(0))
    value_embed_layers: tuple[int, ...] = setting((), "layers, from 0, whose values receive the value embeddings")
    bigram_dim: int = setting(
        0, "width of a table by hashed pairs of tokens, added to the embedding; 0: off", at_least(0), source="#549"
    )
    bigram_buckets: int = setting(0, "rows of the table of pairs; the last is for the first position", at_least(0))
    smear_gate: bool = setting(
        False, "blend each normed embedding with the one before it, by a gate a channel", source="#1465"
    )
    value_residual: bool = setting(
        False, "mix the values of layers after the first with the first layer's, by learned shares"
    )
    flash_attention: bool = setting(False, "FlashAttention-3 on CUDA where it can be imported; else SDPA")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.model_dim % self.num_heads == 0, "model_dim", f"a multiple of num_heads = {self.num_heads}")
        require(self.head_dim % 2 == 0, "model.model_dim", "an even model_dim / num_heads", self.head_dim)
        self.require(
            self.num_heads % self.num_kv_heads == 0, "num_kv_heads", f"a divisor of num_heads = {self.num_heads}"
        )
        self.require(
            self.rope_dims % 2 == 0 and self.rope_dims <= self.head_dim,
            "rope_dims",
            f"an even number up to the head dimension {self.head_dim}",
        )
        self.require(self.xsa_layers <= self.num_layers, "xsa_layers", f"at most {self.num_layers}")
        self.require(
            all(0 <= layer < self.num_layers for layer in self.value_embed_layers),
            "value_embed_layers",
            f"layers from 0 to {self.num_layers - 1}",
        )
        self.require(
            bool(self.value_embed_layers) == bool(self.value_embed_dim),
            "value_embed_layers",
            "set together with value_embed_dim",
        )
        self.require(
            self.bigram_buckets >= 2 if self.bigram_dim else self.bigram_buckets == 0,
            "bigram_buckets",
            "2 or more with bigram_dim, else 0",
        )

    def small(self, cfg: "Config") -> Self:
        """What covers all layers, or all of a head, still does, and so do ratios of heads."""
        layers, kv_heads = min(self.num_layers, 4), min(self.num_kv_heads, 2)
        heads = self.num_heads // self.num_kv_heads * kv_heads
        from_end = {self.num_layers - layer for layer in self.value_embed_layers}
        rotates_all = self.rope_dims == self.head_dim
        return replace(
            self,
            vocab_size=SMALL_VOCAB_SIZE,
            num_layers=layers,
            model_dim=heads * SMALL_HEAD_DIM,
            num_heads=heads,
            num_kv_heads=kv_heads,
            rope_dims=SMALL_HEAD_DIM if rotates_all else min(self.rope_dims, SMALL_HEAD_DIM // 2),
            xsa_layers=layers if self.xsa_layers == self.num_layers else min(self.xsa_layers, layers - 1),
            bigram_dim=min(self.bigram_dim, SMALL_HEAD_DIM),
            bigram_buckets=min(self.bigram_buckets, 64),
            value_embed_dim=min(self.value_embed_dim, SMALL_HEAD_DIM),
            value_embed_layers=tuple(sorted({max(0, layers - distance) for distance in from_end})),
        )

    @property
    def head_dim(self) -> int:
        return self.model_dim // self.num_heads

    @property
    def kv_dim(self) -> int:
        return self.num_kv_heads * self.head_dim

    @property
    def hidden_dim(self) -> int:
        return self.mlp_mult * self.model_dim

    @property
    def num_skips(self) -> int:
        """Skip connections of the U-Net: the first half of the layers push, the rest pop."""
        return self.num_layers // 2
