"""Attention against loops over batch, heads and positions, for every switch that changes it."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.model.attention import Attention
from toolkit.components.model.context import Context
from toolkit.components.model.rotary import rotary_tables
from toolkit.components.model.xsa import exclude_own_value
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train


def recipe(**model: object) -> Config:
    shape: dict[str, Any] = {"model_dim": 32, "num_heads": 4, "num_kv_heads": 2, "num_layers": 3} | model
    return Config(model=Model(**shape), train=Train(batch_tokens=512, seq_len=64))


def random_attention(cfg: Config, layer: int = 0) -> Attention:
    """Attention whose every weight, also those that start at zero or one, has random values."""
    torch.manual_seed(1)
    attention = Attention(cfg, layer)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return attention


def turned(row: Tensor, t: int, rope_dims: int) -> Tensor:
    """One head's row at position t after RoPE, pair by pair."""
    out, n = row.clone(), rope_dims // 2
    for i in range(n):
        cos, sin = (f(t * 10_000.0 ** (-i / n)) for f in (math.cos, math.sin))
        out[i] = row[i] * cos + row[i + n] * sin
        out[i + n] = row[i + n] * cos - row[i] * sin
    return out


def naive_attention(attention: Attention, cfg: Config, x: Tensor, value_embed: Tensor | None, xsa: bool) -> Tensor:
    """The definition, one query at a time, in fp64."""
    heads, width, group = cfg.model.num_heads, cfg.model.head_dim, cfg.model.num_heads // cfg.model.num_kv_heads
    rope_dims = cfg.model.rope_dims or width
    c_q, c_k, c_v, proj = (getattr(attention, name).weight.detach().double() for name in ("c_q", "c_k", "c_v", "proj"))
    out = torch.zeros(x.shape, dtype=torch.float64)
    for b in range(x.size(0)):
        rows = x[b].double()
        values = rows @ c_v.T + (0 if value_embed is None else value_embed[b].double())
        for h in range(heads):
            kv = slice((h // group) * width, (h // group + 1) * width)
            own = slice(h * width, (h + 1) * width)
            for t in range(x.size(1)):
                q = F.rms_norm(c_q[own] @ rows[t], (width,), eps=2**-23)
                q = turned(q, t, rope_dims) * attention.q_gain[h].item()
                keys = [F.rms_norm(c_k[kv] @ rows[s], (width,), eps=2**-23) for s in range(t + 1)]
                scores = torch.stack([q @ turned(k, s, rope_dims) for s, k in enumerate(keys)]) / math.sqrt(width)
                y = torch.softmax(scores, 0) @ values[: t + 1, kv]
                if xsa:
                    v = values[t, kv]
                    y = y - (y @ v) / (v @ v) * v
                out[b, t, own] = y
    return (out @ proj.T).float()


@pytest.mark.parametrize(
    ("model", "layer", "xsa"),
    [
        pytest.param({}, 0, False, id="grouped"),
        pytest.param({"num_kv_heads": 4}, 0, False, id="one-kv-head-each"),
        pytest.param({"num_kv_heads": 1}, 0, False, id="one-kv-head-for-all"),
        pytest.param({"rope_dims": 4}, 0, False, id="partial-rope"),
        pytest.param({"rope_dims": 4, "xsa_layers": 3}, 0, True, id="xsa-everywhere"),
        pytest.param({"xsa_layers": 1}, 1, False, id="xsa-below-the-last-layer"),
        pytest.param({"xsa_layers": 1}, 2, True, id="xsa-in-the-last-layer"),
    ],
)
@pytest.mark.parametrize("with_value_embed", [False, True])
def test_attention_equals_the_naive_definition(
    model: dict[str, Any], layer: int, xsa: bool, with_value_embed: bool
) -> None:
    if with_value_embed:
        model = model | {"value_embed_dim": 8, "value_embed_layers": (layer,)}
    cfg = recipe(**model)
    attention = random_attention(cfg, layer)
    x = torch.randn(2, 7, 32)
    value_embed = torch.randn(2, 7, cfg.model.kv_dim) if with_value_embed else None
    ctx = Context(x, rotary_tables(cfg, 7, x))
    if value_embed is not None:
        ctx.value_embeds = {layer: value_embed}
    with torch.no_grad():
        found = attention(x, ctx)
    torch.testing.assert_close(found, naive_attention(attention, cfg, x, value_embed, xsa), rtol=1e-4, atol=1e-4)


def excluded(y: Tensor, v: Tensor) -> Tensor:
    return exclude_own_value(recipe(xsa_layers=3), SimpleNamespace(layer=0), y, v)


def test_xsa_leaves_nothing_along_the_own_value_and_changes_nothing_across_it() -> None:
    y, v = torch.randn(2, 5, 4, 8), torch.randn(2, 5, 2, 8)
    shared = v.repeat_interleave(2, dim=2)
    cleaned = excluded(y, v)
    torch.testing.assert_close((cleaned * shared).sum(-1), torch.zeros(2, 5, 4), rtol=0, atol=1e-5)
    removed = y - cleaned
    torch.testing.assert_close(F.cosine_similarity(removed, shared, dim=-1).abs(), torch.ones(2, 5, 4))
    torch.testing.assert_close(excluded(cleaned, v), cleaned, rtol=0, atol=1e-5)


def test_xsa_of_a_zero_value_keeps_y() -> None:
    y = torch.randn(1, 1, 4, 8)
    assert torch.equal(excluded(y, torch.zeros(1, 1, 2, 8)), y)


def test_initial_values() -> None:
    attention = Attention(recipe(qk_gain=4.0), 0)
    assert attention.q_gain.tolist() == [4.0] * 4
    assert not attention.proj.weight.any()
    assert attention.c_q.weight.any()
