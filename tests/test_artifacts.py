"""What tools read from artifacts and checkpoints."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.artifacts import entropies, open_model
from toolkit.components.artifact.accounting import byte_shares, share_lines
from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe

RECIPE = """\
[model]
vocab_size = 64
model_dim = 32
num_heads = 2
num_kv_heads = 1
num_layers = 3
[quantize]
method = "{method}"
passthrough_max_numel = 0
reserve_seconds = 0.0
"""


@pytest.fixture(params=["percentile", "hybrid"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a recipe and the artifact of a run of Gaussian weights."""
    (tmp_path / "recipe.toml").write_text(RECIPE.format(method=request.param))
    cfg = load_recipe(tmp_path / "recipe.toml")
    run = tmp_path / "runs" / "seed42"
    run.mkdir(parents=True)
    (run / "final_model.ptz").write_bytes(encode_artifact(cfg, quantize_weights(cfg, weights(cfg), {})))
    return tmp_path


def weights(cfg: Config) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(t.shape, generator=generator) for name, t in GPT(cfg).state_dict().items()}


def test_bytes_by_tensor_and_kind_add_up_to_the_file(build: Path) -> None:
    model = open_model(build / "runs" / "seed42")
    shares = model.shares()
    assert sum(shares.values()) == pytest.approx(model.artifact_bytes)
    assert {name for name, _ in shares} == set(model.tensors)
    kinds = {kind for _, kind in shares}
    assert kinds == {"symbols", "scales", "passthrough"} | (
        {"tables"} if model.cfg.quantize.storage == "levels" else set()
    )


def test_log_lines_name_every_array_and_every_kind() -> None:
    tensors = {
        "w": QuantizedTensor(6, np.arange(8, dtype=np.int8).reshape(2, 4), (np.ones(2, np.float16),)),
        "b": QuantizedTensor(32, np.array([1.0, -1.0], np.float32)),
    }
    assert share_lines(byte_shares(Config(), tensors, 325)) == [
        "artifact_bytes:b passthrough:25",  # two bits: which of two bytes holds the sign
        "artifact_bytes:w symbols:300",  # 24 bits
        "artifact_bytes:w scales:0",
        "artifact_bytes:all passthrough:25",
        "artifact_bytes:all symbols:300",
        "artifact_bytes:all scales:0",
    ]


def test_entropies_are_those_of_the_symbols_and_of_their_change_between_layers(build: Path) -> None:
    model = open_model(build / "runs" / "seed42" / "final_model.ptz")
    rows = {row.name: row for row in entropies(model)}
    name = "blocks.1.mlp.fc.weight"
    symbols = model.tensors[name].values
    shares = np.unique(symbols, return_counts=True)[1] / symbols.size
    assert rows[name].entropy_bits == pytest.approx(-(shares * np.log2(shares)).sum())
    change = symbols.astype(int) - model.tensors["blocks.0.mlp.fc.weight"].values
    shares = np.unique(change, return_counts=True)[1] / change.size
    assert rows[name].delta_bits == pytest.approx(-(shares * np.log2(shares)).sum())
    assert rows["blocks.0.mlp.fc.weight"].delta_bits is rows["tok_emb.weight"].delta_bits is None
    stored = 8 * model.shares()[name, "symbols"] / symbols.size
    assert rows[name].stored_bits == pytest.approx(rows[name].entropy_bits + rows[name].gap_bits) == stored


def test_a_checkpoint_is_quantized_as_the_recipe_says(build: Path) -> None:
    torch.save(weights(load_recipe(build / "recipe.toml")), build / "state.pt")
    assert open_model(build / "state.pt").blob == open_model(build / "runs" / "seed42").blob


def test_the_recipe_can_be_named(build: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.ptz"
    elsewhere.write_bytes((build / "runs" / "seed42" / "final_model.ptz").read_bytes())
    with pytest.raises(GolfError, match=r"expected recipe\.toml in a folder above, found none; name the recipe"):
        open_model(elsewhere)
    assert open_model(elsewhere, str(build / "recipe.toml")).tensors


def test_what_is_neither_is_refused(build: Path) -> None:
    (build / "text").write_text("hello")
    with pytest.raises(GolfError, match=r"expected an artifact or a state dict saved by torch, found a different"):
        open_model(build / "text")
    with zipfile.ZipFile(build / "other.zip", "w") as archive:
        archive.writestr("data.pkl", b"garbage")
    with pytest.raises(GolfError, match=r"expected a state dict saved by torch, found: "):
        open_model(build / "other.zip")
    torch.save([1], build / "list.pt")
    with pytest.raises(GolfError, match=r"expected a state dict of tensors, found list"):
        open_model(build / "list.pt")
    with pytest.raises(GolfError, match=r"expected final_model\.ptz of a run, found none"):
        open_model(build)
