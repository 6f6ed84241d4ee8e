"""Fixtures for every folder of tests."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.recipe import dump_recipe, load_recipe
from toolkit.run.launch import launch


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The bundler keeps results in the user's cache folder; the tests begin with an empty one that workers share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield


@pytest.fixture
def cold_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_stand_in_build(build: Path) -> Path:
    """A build folder whose script is `stand_in.py`: it writes and prints what a real one does, without training."""
    build.mkdir(parents=True)
    script = Path(__file__).with_name("stand_in.py")
    for name in ("train_gpt.py", "train_gpt_readable.py"):
        shutil.copy(script, build / name)
    cfg = load_recipe("demo")
    (build / "recipe.toml").write_text(dump_recipe(cfg))
    sha256 = hashlib.sha256(script.read_bytes()).hexdigest()
    facts = {
        "recipe": cfg.name,
        "title": cfg.title,
        "track": cfg.track,
        "artifact_id": cfg.artifact_id,
        "stages": cfg.evaluate.stages,
        "sha256": {"train_gpt.py": sha256, "train_gpt_readable.py": sha256},
        "code_bytes": script.stat().st_size,
        "component_bytes": {},
    }
    (build / "bundle.json").write_text(json.dumps(facts))
    return build


@pytest.fixture
def stand_in_build(tmp_path: Path) -> Path:
    """A build whose script is `stand_in.py`, without runs."""
    return write_stand_in_build(tmp_path / "build" / "stand_in")


@pytest.fixture(scope="session")
def _launched_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = write_stand_in_build(tmp_path_factory.mktemp("launched") / "stand_in")
    for seed in (42, 1337, 2025):
        launch(build, seed)
    return build


@pytest.fixture
def stand_in_runs(_launched_build: Path, tmp_path: Path) -> list[Path]:
    """Three finished runs of the stand-in build, launched under torchrun; a copy of its own for every test."""
    build = tmp_path / "build" / "demo"
    shutil.copytree(_launched_build, build)
    return [build / "runs" / f"seed{seed}" for seed in (42, 1337, 2025)]


TINY_RECIPE = """\
title = "Tiny"

[model]
vocab_size = 300
num_layers = 2
model_dim = 32
num_heads = 2
num_kv_heads = 1
activation = "leaky_relu2"
rope_dims = 8
skip_gates = true
ln_scale = true
xsa_layers = 1
value_embed_dim = 16
value_embed_layers = [1]

[data]
dataset = "tiny"
tokenizer = "tiny.model"
loader = "coprime"

[optimizer]
muon_momentum_warmup_steps = 10
muon_row_normalize = true
grad_clip_norm = 0.3
ema_decay = 0.8

[train]
batch_tokens = 256
seq_len = 32
micro_batches = 2
iterations = 20
max_wallclock_seconds = 0.0
warmup_steps = 1
warmdown_fraction = 0.5
log_every = 1

[quantize]
calibration_batches = 2
passthrough_max_numel = 256
reserve_seconds = 0.1

[evaluate]
stages = ["roundtrip", "sliding"]
stride = 16
"""


@dataclass(frozen=True)
class TinyRun:
    """A recipe that trains in a second, and its data: `root`/datasets/tiny and `root`/tokenizers/tiny.model."""

    root: Path
    recipe: Path  # 20 steps without a clock, so that a seed decides every bit

    def environment(self, run_dir: Path, **overrides: str) -> dict[str, str]:
        """Variables for a run of the script on the CPU."""
        return {
            "DATA_PATH": str(self.root / "datasets" / "tiny"),
            "TOKENIZER_PATH": str(self.root / "tokenizers" / "tiny.model"),
            "RUN_DIR": str(run_dir),
            "SEED": "42",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        } | overrides


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Invented sentences of a small lexicon as text; a vocabulary of 300 pieces, 256 of them bytes."""
    import sentencepiece as spm

    from toolkit.data.shards import token_stream, write_shards
    from toolkit.data.tokenizer import train_tokenizer

    root = tmp_path_factory.mktemp("tiny")
    rng = random.Random(0)
    lexicon = ["".join(rng.choices("aeiklmnorst", k=rng.randint(2, 6))) for _ in range(40)]
    documents = [" ".join(rng.choices(lexicon, k=rng.randint(5, 60))) + " é\n" for _ in range(150)]
    model = train_tokenizer(documents, 300)
    tokenizer_path = root / "tokenizers" / "tiny.model"
    tokenizer_path.parent.mkdir()
    tokenizer_path.write_bytes(model)
    dataset = root / "datasets" / "tiny"
    dataset.mkdir(parents=True)
    tokenizer = spm.SentencePieceProcessor(model_proto=model)
    write_shards(dataset, "val", token_stream(tokenizer, documents[:10]), 1_000_000)
    write_shards(dataset, "train", token_stream(tokenizer, documents[10:]), 5_000)
    recipe = root / "tiny.toml"
    recipe.write_text(TINY_RECIPE)
    return TinyRun(root, recipe)
