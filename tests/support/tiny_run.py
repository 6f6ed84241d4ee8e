"""A recipe that trains in a second, with its text."""

import random
from dataclasses import dataclass
from pathlib import Path

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


def write_tiny_run(root: Path) -> TinyRun:
    """Invented sentences of a small lexicon as text; a vocabulary of 300 pieces, 256 of them bytes."""
    import sentencepiece as spm

    from toolkit.data.shards import token_stream, write_shards
    from toolkit.data.tokenizer import train_tokenizer

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
