"""`golf entropy` and `golf check --explain-bytes`: the tables."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from toolkit.cli.main import golf
from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.recipe import load_recipe

RECIPE = """\
[model]
vocab_size = 64
model_dim = 32
num_heads = 2
num_kv_heads = 1
num_layers = 2
[quantize]
method = "hybrid"
passthrough_max_numel = 0
reserve_seconds = 0.0
"""


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    cfg = load_recipe(tmp_path / "recipe.toml")
    torch.manual_seed(0)
    state = {name: torch.randn(tensor.shape) for name, tensor in GPT(cfg).state_dict().items()}
    path = tmp_path / "final_model.ptz"
    path.write_bytes(encode_artifact(cfg, quantize_weights(cfg, state, {})))
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(golf, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_a_line_for_each_matrix_and_one_for_all(artifact: Path) -> None:
    lines = invoke("entropy", artifact).output.splitlines()
    assert sum("mlp.fc.weight" in line for line in lines) == 2
    heading = next(line for line in lines if "H(W)" in line)
    assert [title for title in ("weights", "levels", "H(dW)", "stored", "gap") if title not in heading] == []
    (total,) = [line for line in lines if line.lstrip("│ ").startswith("all")]
    assert "16,384" in total


def test_json_has_the_same_figures(artifact: Path) -> None:
    facts = json.loads(invoke("entropy", artifact, "--json").output)
    assert facts["artifact_bytes"] == artifact.stat().st_size
    first, second = (row for row in facts["tensors"] if row["name"].endswith("mlp.fc.weight"))
    assert first["levels"] == second["levels"] == 5
    assert first["delta_bits"] is None
    assert second["delta_bits"] > second["entropy_bits"]  # of independent layers
    assert second["gap_bits"] == pytest.approx(second["stored_bits"] - second["entropy_bits"])


def test_check_explains_bytes_before_the_verdict(artifact: Path) -> None:
    (artifact.parent / "train_gpt.py").write_text("print(1)\n")
    output = invoke("check", artifact.parent, "--explain-bytes").output
    assert f"{artifact.stat().st_size:,} bytes of" in output
    for word in ("tensor", "symbols", "scales", "tables", "passthrough", "blocks.1.attn.proj.weight"):
        assert word in output
    assert output.index("symbols") < output.index("SIZE-CAP")


@pytest.mark.parametrize("other", ["--json", "--annotations"])
def test_bytes_are_explained_in_text_alone(artifact: Path, other: str) -> None:
    assert invoke("check", artifact.parent, "--explain-bytes", other).exit_code == 2
