"""A record folder made by hand, with log lines as our scripts print them, and ways to spoil it."""

import base64
import hashlib
import json
import lzma
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from toolkit.check import Report, check_path
from toolkit.check.subject.baseline import Baseline

SEEDS = (42, 1337, 2025)
PROGRAM = 'def main():\n    """Not a ppm_seed in sight."""\n    print("final_int6_ppm_trie")\nmain()\n' + "#" * 400
MODEL_BYTES = 600_000
BYTES_PER_TOKEN = 2.436
TARGETS = 1_000_000


def packed(program: str) -> str:
    """A script as the competition packs it."""
    blob = base64.b85encode(lzma.compress(program.encode())).decode()
    return f'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{blob}")))\n'


def nats(seed: int) -> float:
    return 2.9 + seed / 1e6


def log_text(seed: int, sha256: str, code_bytes: int) -> str:
    def score(key: str, loss: float) -> str:
        return f"{key} val_loss:{loss:.8f} val_bpb:{loss / (0.69314718056 * BYTES_PER_TOKEN):.8f} eval_time:1500ms\n"

    return (
        "Hyperparameters:\n"
        f"  bundle_sha256: {sha256}\n"
        "  data_path: ../../data/datasets/demo_sp1024\n"
        "  dataset: demo_sp1024\n"
        f"  seed: {seed}\n"
        "  stages: ['roundtrip', 'sliding', 'sliding+ppm_trie']\n"
        "  tokenizer: demo_1024_bpe.model\n"
        "  track: non-record-16mb\n"
        "  vocab_size: 1024\n"
        "  world_size: 1\n"
        "hardware: some CPU, 2 threads\n"
        "train_shards: 1\n"
        f"val_tokens: {TARGETS + 1}\n"
        f"val_targets: {TARGETS}\n"
        f"val_bytes: {TARGETS * BYTES_PER_TOKEN:.0f}\n"
        "model_params:800000\n"
        "gptq:reserving 3s, effective=57000ms\n"
        "50/20000 train_loss: 5.1234 train_time: 0.1m tok/s: 12345\n"
        "stopping_early: wallclock_cap train_time: 57012ms step: 812/20000\n"
        "GPTQ:collected 25 Hessians in 2.1s\n"
        "train_time_with_calibration: 59112ms\n"
        + score("pre-quantization post-ema", nats(seed) + 0.1)
        + "Serialized model: 3200000 bytes\n"
        f"Code size: {code_bytes} bytes\n"
        f"Serialized model int6+brotli: {MODEL_BYTES} bytes\n"
        f"Total submission size int6+brotli: {code_bytes + MODEL_BYTES} bytes\n"
        f"bundle_sha256: {sha256}\n"
        + score("final_int6_roundtrip", nats(seed) + 0.11)
        + score("final_int6_sliding_window", nats(seed) + 0.05)
        + score("final_int6_ppm_trie", nats(seed))
        + "total_eval_time:4.5s\n"
    )


@dataclass
class Folder:
    """A folder that can be edited and checked."""

    path: Path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        file = self.path / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def edit_json(self, **fields: Any) -> None:
        """Set fields of the submission; None removes one."""
        file = self.path / "submission.json"
        content = json.loads(file.read_text()) | fields
        file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    def check(self, against: Baseline | None = None) -> Report:
        return check_path(self.path, against)

    def outcomes(self, rule: str, against: Baseline | None = None) -> set[str]:
        """Outcomes of one rule over all places."""
        return {finding.outcome for finding in self.check(against).findings if finding.rule == rule}

    def failed_rules(self) -> set[str]:
        return {finding.rule for finding in self.check().findings if finding.outcome == "FAIL"}


@pytest.fixture
def record(tmp_path: Path) -> Folder:
    """A record in which everything is in order."""
    folder = tmp_path / "records" / "track_non_record_16mb" / "2026-05-02_Demo"
    folder.mkdir(parents=True)
    script = packed(PROGRAM)
    sha256 = hashlib.sha256(script.encode()).hexdigest()
    files = {
        "README.md": "# Demo\n",
        "train_gpt.py": script,
        "train_gpt_readable.py": PROGRAM,
        "requirements.txt": "torch==2.13.0\n",
        "recipe.toml": 'title = "Demo"\ntrack = "non-record-16mb"\n\n[evaluate]\n'
        'stages = ["roundtrip", "sliding", "sliding+ppm_trie"]\n\n[ppm_seed]\ngate = "v2"\n',
    }
    files |= {f"train_seed{seed}.log": log_text(seed, sha256, len(script)) for seed in SEEDS}
    losses = {seed: round(nats(seed), 8) for seed in SEEDS}
    scores = {seed: round(losses[seed] / (0.69314718056 * BYTES_PER_TOKEN), 8) for seed in SEEDS}
    entries = {
        str(seed): {
            "val_bpb": scores[seed],
            "val_loss": losses[seed],
            "artifact_bytes": len(script) + MODEL_BYTES,
            "steps": 812,
            "train_time_s": 57.012,
            "eval_time_s": 4.5,
        }
        for seed in SEEDS
    }
    submission = {
        "author": "A",
        "github_id": "a",
        "name": "Demo",
        "blurb": "",
        "date": "2026-05-02",
        "track": "non-record-16mb",
        "val_bpb": round(fmean(scores.values()), 8),
        "val_loss": round(fmean(losses.values()), 8),
        "val_bpb_std": stdev(scores.values()),
        "val_loss_std": stdev(losses.values()),
        "bytes_total": len(script) + MODEL_BYTES,
        "bytes_code": len(script),
        "bytes_model_compressed": MODEL_BYTES,
        "seeds": list(SEEDS),
        "seed_results": entries,
        "hardware": "some CPU, 2 threads",
        "bundle_sha256": sha256,
        "recipe": "demo",
    }
    files["submission.json"] = json.dumps(submission, indent=2)
    for name, text in files.items():
        (folder / name).write_text(text)
    return Folder(folder)


@pytest.fixture
def leaderboard(record: Folder) -> Folder:
    """The same as an entry for the leaderboard: eight ranks on H100, FineWeb's text, the other track's name."""
    folder = record.path.parent.with_name("track_10min_16mb") / record.path.name
    shutil.copytree(record.path, folder)
    entry = Folder(folder)
    targets, true_bytes = 62_021_632, 151_080_363
    for seed in SEEDS:
        name = f"train_seed{seed}.log"
        entry.edit(name, "demo_", "fineweb_")
        entry.edit(name, "non-record-16mb", "10min_16mb")
        entry.edit(name, "world_size: 1\n", "world_size: 8\n")
        entry.edit(name, "train_shards: 1\n", "train_shards: 80\n")
        entry.edit(name, "some CPU, 2 threads", "NVIDIA H100 80GB HBM3")
        entry.edit(name, f"val_tokens: {TARGETS + 1}", f"val_tokens: {targets + 1}")
        entry.edit(name, f"val_targets: {TARGETS}", f"val_targets: {targets}")
        entry.edit(name, f"val_bytes: {TARGETS * BYTES_PER_TOKEN:.0f}", f"val_bytes: {true_bytes}")
    entry.edit("recipe.toml", "non-record-16mb", "10min_16mb")
    entry.edit_json(track="10min_16mb")
    return entry


@pytest.fixture
def build(tmp_path: Path) -> Folder:
    """A build with one finished run in runs/seed42."""
    folder = tmp_path / "build" / "demo"
    run = folder / "runs" / "seed42"
    run.mkdir(parents=True)
    script = packed(PROGRAM)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in _scripts(script).items()}
    for name, text in _scripts(script).items():
        (folder / name).write_text(text)
    stages = ["roundtrip", "sliding", "sliding+ppm_trie"]
    bundle = {"recipe": "demo", "title": "Demo", "track": "non-record-16mb", "stages": stages, "sha256": hashes}
    (folder / "bundle.json").write_text(json.dumps(bundle | {"code_bytes": len(script)}))
    (folder / "recipe.toml").write_text(f'track = "non-record-16mb"\n[evaluate]\nstages = {json.dumps(stages)}\n')
    (run / "train_seed42.log").write_text(log_text(42, hashes["train_gpt.py"], len(script)))
    (run / "final_model.ptz").write_bytes(bytes(MODEL_BYTES))
    (run / "run.json").write_text("{}")
    return Folder(folder)


def _scripts(script: str) -> dict[str, str]:
    return {"train_gpt.py": script, "train_gpt_readable.py": PROGRAM}
