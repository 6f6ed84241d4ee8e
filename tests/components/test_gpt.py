"""The whole model: published parameter counts, wiring against a plain re-implementation, causality, initial values."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.model import gpt as gpt_module
from toolkit.components.model.gpt import GPT, parameter_kind
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train
from toolkit.recipe import load_recipe

SHAPE: dict[str, Any] = {"vocab_size": 48, "model_dim": 32, "num_heads": 4, "num_kv_heads": 2}
BASELINE: dict[str, Any] = SHAPE | {"num_layers": 4}
GATED: dict[str, Any] = SHAPE | {
    "num_layers": 5,
    "mlp_mult": 4,
    "activation": "leaky_relu2",
    "rope_dims": 4,
    "qk_gain": 4.0,
    "orthogonal_init": True,
    "skip_gates": True,
    "ln_scale": True,
    "xsa_layers": 5,
    "value_embed_dim": 8,
    "value_embed_layers": (3, 4),
}
HASHED: dict[str, Any] = SHAPE | {  # S2
    "num_layers": 5,
    "mlp_mult": 5,
    "activation": "leaky_relu2",
    "rope_dims": 4,
    "logit_softcap": 15.0,
    "ln_scale": True,
    "xsa_layers": 5,
    "value_embed_dim": 8,
    "value_embed_layers": (3, 4),
    "bigram_dim": 8,
    "bigram_buckets": 20,
    "smear_gate": True,
    "value_residual": True,
}
ALL = pytest.mark.parametrize(
    "model",
    [pytest.param(BASELINE, id="B0"), pytest.param(GATED, id="R1"), pytest.param(HASHED, id="S2")],
)


def recipe(model: dict[str, Any]) -> Config:
    return Config(model=Model(**model), train=Train(batch_tokens=512, seq_len=64))


def random_model(cfg: Config) -> GPT:
    """A model whose every parameter differs from its initial value."""
    torch.manual_seed(2)
    gpt = GPT(cfg)
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return gpt


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("naive_baseline", 17_059_912),
        ("sp4096", 34_401_371),
        ("sp4096_ppm", 34_401_371),
        ("sp4096_ppm_seed", 34_401_371),
        ("hybridquant", 38_528_114),
        ("hybridquant_v61", 32_760_946),
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, count: int) -> None:
    with torch.device("meta"):
        gpt = GPT(load_recipe(name))
    assert sum(p.numel() for p in gpt.parameters()) == count


def reference_logits(cfg: Config, weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """The model written down once more as plain functions of the state dict, in fp64."""
    m = cfg.model
    w = {name: tensor.double() for name, tensor in weights.items()}
    length = tokens.size(1)

    def norm(x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.size(-1),), eps=2**-23)

    def heads(x: Tensor, count: int) -> Tensor:  # [B, T, count * D] -> [B, H, T, D], key/value heads repeated
        split = x.view(*x.shape[:2], count, m.head_dim).transpose(1, 2)
        return split.repeat_interleave(m.num_heads // count, dim=1)

    def rope(x: Tensor) -> Tensor:
        n = (m.rope_dims or m.head_dim) // 2
        angles = torch.arange(length).double()[:, None] * m.rope_base ** -(torch.arange(n).double() / n)
        pairs = torch.complex(x[..., :n], x[..., n : 2 * n]) * torch.polar(torch.ones_like(angles), -angles)
        return torch.cat((pairs.real, pairs.imag, x[..., 2 * n :]), -1)

    def attention(x: Tensor, layer: int) -> Tensor:
        name = f"blocks.{layer}.attn."
        v = x @ w[name + "c_v.weight"].T
        if layer in m.value_embed_layers:
            table = w["ve.embed.weight"][tokens] @ w["ve.proj.weight"].T * w["ve.scale"]
            v = v + table * w["ve_layer_scales"][m.value_embed_layers.index(layer)]
        if m.value_residual:
            if layer == 0:
                first_values.append(v)
            else:
                mix = w[name + "value_mix"]
                v = mix[0] * first_values[0] + mix[1] * v
        v = heads(v, m.num_kv_heads)
        k = rope(norm(heads(x @ w[name + "c_k.weight"].T, m.num_kv_heads)))
        q = rope(norm(heads(x @ w[name + "c_q.weight"].T, m.num_heads))) * w[name + "q_gain"][:, None, None]
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        y = torch.softmax((q @ k.mT / math.sqrt(m.head_dim)).masked_fill(hidden, -math.inf), -1) @ v
        if layer >= m.num_layers - m.xsa_layers:
            y = y - (y * v).sum(-1, keepdim=True) / (v * v).sum(-1, keepdim=True) * v
        return y.transpose(1, 2).flatten(2) @ w[name + "proj.weight"].T

    def block(x: Tensor, layer: int) -> Tensor:
        name = f"blocks.{layer}."
        damping = 1 / math.sqrt(layer + 1) if m.ln_scale else 1.0
        mix = w[name + "resid_mix"]
        x = mix[0] * x + mix[1] * x0
        x = x + w[name + "attn_scale"] * attention(norm(x) * damping, layer)
        h = norm(x) * damping @ w[name + "mlp.fc.weight"].T
        h = torch.where(h > 0, h, 0.5 * h if m.activation == "leaky_relu2" else 0.0) ** 2
        return x + w[name + "mlp_scale"] * (h @ w[name + "mlp.proj.weight"].T)

    first_values: list[Tensor] = []
    x = w["tok_emb.weight"][tokens]
    if m.bigram_dim:
        rows = torch.full_like(tokens, m.bigram_buckets - 1)
        for t in range(1, length):
            rows[:, t] = (36313 * tokens[:, t] ^ 27191 * tokens[:, t - 1]) % (m.bigram_buckets - 1)
        x = x + w["bigram.embed.weight"][rows] @ w["bigram.proj.weight"].T * w["bigram.scale"]
    x = norm(x)
    if m.smear_gate:
        gate = 1 / (1 + torch.exp(-w["smear_gate"]))
        x = torch.stack([(1 - gate) * x[:, t] + (gate * x[:, t - 1] if t else 0) for t in range(length)], 1)
    x0 = x
    encoder = m.num_layers // 2
    outputs = []
    for layer in range(encoder):
        x = block(x, layer)
        outputs.append(x)
    for i in range(m.num_layers - encoder):
        if i < encoder:
            skip = w["skip_weights"][i] * outputs[encoder - 1 - i]
            if m.skip_gates:
                gate = 1 / (1 + torch.exp(-w["skip_gates"][i]))
                x = gate * x + (1 - gate) * skip
            else:
                x = x + skip
        x = block(x, encoder + i)
    z = norm(x) @ w["tok_emb.weight"].T
    return (m.logit_softcap * torch.tanh(z / m.logit_softcap)).float()


@ALL
def test_logits_equal_the_plain_reimplementation(model: dict[str, Any]) -> None:
    cfg = recipe(model)
    gpt = random_model(cfg)
    tokens = torch.randint(48, (2, 12))
    with torch.no_grad():
        found = gpt(tokens)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, reference_logits(cfg, gpt.state_dict(), tokens), rtol=1e-3, atol=1e-3)


@ALL
def test_loss_is_the_mean_cross_entropy_of_the_logits(model: dict[str, Any]) -> None:
    gpt = random_model(recipe(model))
    tokens, targets = torch.randint(48, (2, 2, 12))
    log_probabilities = torch.log_softmax(gpt(tokens), -1)
    expected = -log_probabilities.gather(-1, targets[..., None]).mean()
    torch.testing.assert_close(gpt(tokens, targets), expected)


@ALL
@pytest.mark.parametrize("t", [1, 13, 31])
def test_a_changed_token_leaves_earlier_logits_bit_identical(model: dict[str, Any], t: int) -> None:
    gpt = random_model(recipe(model)).eval()
    tokens = torch.randint(48, (2, 32))
    changed = tokens.clone()
    changed[:, t] = (changed[:, t] + 1) % 48
    with torch.inference_mode():
        before, after = gpt(tokens), gpt(changed)
    assert torch.equal(before[:, :t], after[:, :t])
    assert not torch.equal(before[:, t:], after[:, t:])


@ALL
def test_rows_of_a_batch_do_not_see_each_other(model: dict[str, Any]) -> None:
    gpt = random_model(recipe(model))
    tokens = torch.randint(48, (3, 9))
    with torch.no_grad():
        torch.testing.assert_close(gpt(tokens)[1:2], gpt(tokens[1:2]), rtol=1e-5, atol=1e-5)


def test_blocks_run_in_the_order_of_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four blocks of which one runs twice are five layers of which two have the same weights."""
    order = (0, 1, 1, 2, 3)
    four, five = random_model(recipe(BASELINE)), random_model(recipe(BASELINE | {"num_layers": 5}))
    five.tok_emb, five.skip_weights = four.tok_emb, four.skip_weights
    for layer, block in enumerate(order):
        five.blocks[layer] = four.blocks[block]
    tokens = torch.randint(48, (2, 12))
    expected = five(tokens)
    monkeypatch.setattr(gpt_module, "visits", lambda cfg, model, blocks: [blocks[i] for i in order])
    assert torch.equal(four(tokens), expected)


def test_softcap_bounds_every_logit_and_keeps_the_order() -> None:
    cfg = recipe(BASELINE | {"logit_softcap": 5.0})
    gpt = random_model(cfg)
    with torch.no_grad():
        gpt.tok_emb.weight *= 4
        tokens = torch.randint(48, (2, 12))
        logits = gpt(tokens)
        raw = F.linear(gpt.final_hidden(tokens), gpt.tok_emb.weight)
    assert raw.abs().max() > 5.0 >= logits.abs().max()
    torch.testing.assert_close(logits, 5.0 * torch.tanh(raw / 5.0))


@ALL
def test_every_parameter_learns(model: dict[str, Any]) -> None:
    gpt = random_model(recipe(model))
    gpt(*torch.randint(48, (2, 2, 12))).backward()
    idle = [name for name, p in gpt.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == (["blocks.0.attn.value_mix"] if model is HASHED else [])  # as in #1465: the first layer has no other


def test_a_fresh_gated_model_reads_its_embeddings_alone() -> None:
    """Output projections start at zero and gates at one half, so every layer passes the first activation on."""
    gpt = GPT(recipe(GATED))
    tokens = torch.randint(48, (1, 8))
    normed = F.rms_norm(gpt.tok_emb.weight[tokens], (32,))
    torch.testing.assert_close(gpt.final_hidden(tokens), F.rms_norm(normed, (32,)))


def test_initial_values() -> None:
    torch.manual_seed(0)
    weights = GPT(recipe(GATED | {"model_dim": 128, "num_kv_heads": 4})).state_dict()
    assert weights["tok_emb.weight"].std().item() == pytest.approx(0.005, rel=0.05)
    for name, weight in weights.items():
        if name.endswith(".proj.weight"):
            assert not weight.any(), name
        elif name.endswith((".fc.weight", ".c_q.weight", ".c_k.weight", ".c_v.weight")):
            gram = weight.mT @ weight  # all of these are square or tall here
            torch.testing.assert_close(gram, torch.eye(128), rtol=0, atol=1e-5, msg=name)
        elif name.endswith(("attn_scale", "mlp_scale", "skip_weights", "ve_layer_scales")):
            assert (weight == 1).all(), name
        elif name.endswith("resid_mix"):
            assert (weight[0] == 1).all(), name
            assert not weight[1].any(), name
    assert not weights["skip_gates"].any()


@ALL
def test_one_seed_determines_the_initial_weights(model: dict[str, Any]) -> None:
    cfg = recipe(model)

    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in GPT(cfg).state_dict().values()])

    assert torch.equal(weights(7), weights(7))
    assert not torch.equal(weights(7), weights(8))


def test_features_that_are_off_add_no_parameters() -> None:
    names = set(GPT(recipe(BASELINE)).state_dict())
    assert {name for name in names if not name.startswith("blocks.")} == {"tok_emb.weight", "skip_weights"}


def test_parameter_kinds() -> None:
    gpt = GPT(recipe(GATED))
    kinds: dict[str, set[str]] = {"embed": set(), "matrix": set(), "scalar": set()}
    for name, _ in gpt.named_parameters():
        kinds[parameter_kind(name)].add(name)
    assert kinds["embed"] == {"tok_emb.weight", "ve.embed.weight"}
    assert kinds["matrix"] == {f"{name}.weight" for name, m in gpt.named_modules() if isinstance(m, torch.nn.Linear)}
    assert kinds["scalar"] == {
        "skip_weights",
        "skip_gates",
        "ve.scale",
        "ve_layer_scales",
        *(f"blocks.{i}.{n}" for i in range(5) for n in ("attn_scale", "mlp_scale", "resid_mix", "attn.q_gain")),
    }


def assert_equal_in_bf16(found: Tensor, expected: Tensor) -> None:
    """Logits with a deviation of about 1.6; single ones move by half where random weights amplify the rounding."""
    assert (found - expected).abs().mean() < 0.05
    torch.testing.assert_close(found, expected, rtol=0, atol=1.0)


@ALL
def test_bf16_activations_reach_the_head_and_leave_fp32_gradients(model: dict[str, Any]) -> None:
    """What happens on CUDA, brought about on CPU by casting where the embeddings do."""
    gpt = random_model(recipe(model))
    tokens, targets = torch.randint(48, (2, 2, 12))
    expected = gpt(tokens)
    for module in gpt.modules():
        if isinstance(module, torch.nn.Embedding):
            module.register_forward_hook(lambda module, inputs, output: output.bfloat16())
    assert gpt.final_hidden(tokens).dtype == torch.bfloat16
    found = gpt(tokens)
    assert found.dtype == torch.float32
    assert_equal_in_bf16(found, expected)
    gpt(tokens, targets).backward()
    assert {p.grad.dtype for p in gpt.parameters() if p.grad is not None} == {torch.float32}


@ALL
def test_compiles_as_one_graph(model: dict[str, Any]) -> None:
    gpt = random_model(recipe(model))
    tokens, targets = torch.randint(48, (2, 2, 12))
    compiled = torch.compile(gpt, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(tokens, targets), gpt(tokens, targets))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@ALL
def test_cuda_multiplies_in_bf16_and_agrees_with_cpu(model: dict[str, Any]) -> None:
    gpt = random_model(recipe(model))
    tokens = torch.randint(48, (2, 12))
    with torch.no_grad():
        expected = gpt(tokens)
        found = gpt.cuda()(tokens.cuda())
        assert gpt.final_hidden(tokens.cuda()).dtype == torch.bfloat16
    assert found.dtype == torch.float32
    assert_equal_in_bf16(found.cpu(), expected)
