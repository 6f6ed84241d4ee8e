"""One program in three forms: modules, readable script and packed script compute the same bits."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tiny_run import TinyRun
from toolkit.bundle import write_build
from toolkit.components import main as entry
from toolkit.components.artifact.artifact import decode_artifact
from toolkit.components.model.gpt import GPT
from toolkit.recipe import load_recipe

SCORES = re.compile(r"^(\d+/\d+ train_loss: \S+|\S+ (?:post-ema )?val_loss:\S+ val_bpb:\S+)", re.MULTILINE)

VARIANTS = {
    "as it is": "",
    "trie mixer": '[evaluate]\nstages = ["roundtrip", "sliding+ppm_trie"]\n[ppm_trie]\ntable_bits = 12\n',
    "linear trie mixer, trellis-coded weights": """
[quantize]
method = "tcq"
[evaluate]
stages = ["sliding+ppm_trie"]
[ppm_trie]
engine = "linear"
shards = 2
""",
    "seed mixer": '[evaluate]\nstages = ["roundtrip", "sliding+ppm_seed"]\n',
    "HybridQuant": """
[model]
skip_gates = false
bigram_dim = 8
bigram_buckets = 32
smear_gate = true
value_residual = true
[optimizer]
ema_decay = 0.0
swa_every_steps = 2
swa_below = 0.5
[quantize]
method = "hybrid"
""",
    "baseline": """
[model]
activation = "relu2"
rope_dims = 0
skip_gates = false
ln_scale = false
xsa_layers = 0
value_embed_dim = 0
value_embed_layers = []
[data]
loader = "contiguous"
[optimizer]
ema_decay = 0.0
grad_clip_norm = 0.0
[train]
val_every = 10
[quantize]
method = "percentile"
matrix_bits = 8
compressor = "zlib"
reserve_seconds = 0.0
[evaluate]
stages = ["roundtrip"]
""",
}

# Runs a script as torchrun would, without the packages that a machine of the competition need not have.
ISOLATED = """
import os, runpy, sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"toolkit", "click", "rich", "scipy", "python_minifier", "pytest", "hypothesis"}:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
for os.environ["EVAL_ONLY"] in ("0", "1"):
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run_script(path: Path) -> None:
    code = compile(path.read_bytes(), str(path), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(path)})


def log_of(run_dir: Path) -> str:
    (path,) = run_dir.glob("*_seed42.log")
    return path.read_text()


@pytest.mark.parametrize("variant", VARIANTS)
def test_three_forms_compute_the_same_bits(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    shutil.copy(tiny_run.recipe, tmp_path / "tiny.toml")
    (tmp_path / "variant.toml").write_text('extends = "tiny"\n' + VARIANTS[variant])
    cfg = load_recipe(tmp_path / "variant.toml")
    write_build(cfg, tmp_path / "build")
    packed, readable = (tmp_path / "build" / name for name in ("train_gpt.py", "train_gpt_readable.py"))
    forms: dict[str, Callable[[], None]] = {
        "modules": lambda: entry.main(cfg, str(packed)),
        "readable": lambda: run_script(readable),
        "packed": lambda: run_script(packed),
    }
    results = {}
    for name, run in forms.items():
        for variable, value in tiny_run.environment(tmp_path / name).items():
            monkeypatch.setenv(variable, value)
        run()
        scores = SCORES.findall(log_of(tmp_path / name))
        results[name] = scores, (tmp_path / name / "final_model.ptz").read_bytes()
    scores, artifact = results["modules"]
    assert len([line for line in scores if "train_loss" in line]) == 20
    assert len([line for line in scores if line.startswith("final_")]) == len(cfg.evaluate.stages)
    assert results["readable"] == results["modules"]
    assert results["packed"] == results["modules"]
    assert decode_artifact(cfg, artifact).keys() == GPT(cfg).state_dict().keys()


def test_packed_script_needs_four_packages_and_scores_its_artifact_again(tiny_run: TinyRun, tmp_path: Path) -> None:
    write_build(load_recipe(tiny_run.recipe), tmp_path / "build")
    shutil.copy(tmp_path / "build" / "train_gpt.py", tmp_path)
    run = subprocess.run(
        [sys.executable, "-I", "-c", ISOLATED, "train_gpt.py"],
        cwd=tmp_path,
        env=tiny_run.environment(Path("run"), ITERATIONS="3"),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    scores = re.findall(r"^final_\S+ val_loss:\S+ val_bpb:\S+", run.stdout, re.MULTILINE)
    assert len(scores) == 4
    assert scores[:2] == scores[2:]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "eval_seed42.log",
        "final_model.ptz",
        "train_seed42.log",
    ]
