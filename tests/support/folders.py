"""Folders made by hand, a record, an entry for the leaderboard and a build with a run, and ways to spoil them."""

import base64
import hashlib
import json
import lzma
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tests.support.log import BYTES_PER_TOKEN, TARGETS, bits_per_byte, final_nats, log_text
from toolkit.check import Report, check_path
from toolkit.check.subject.baseline import Baseline

SEEDS = (42, 1337, 2025)
PROGRAM = 'def main():\n    """Not a ppm_seed in sight."""\n    print("final_int6_ppm_trie")\nmain()\n' + "#" * 400
MODEL_BYTES = 600_000


def packed(program: str) -> str:
    """A script as the competition packs it."""
    blob = base64.b85encode(lzma.compress(program.encode())).decode()
    return f'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{blob}")))\n'


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

    def line(self, name: str, start: str) -> int:
        """Number of the first line of a file that begins so, but for blanks."""
        lines = (self.path / name).read_text().splitlines()
        return next(i for i, line in enumerate(lines, 1) if line.strip().startswith(start))

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


def write_record(root: Path) -> Folder:
    """A record in which everything is in order."""
    folder = root / "records" / "track_non_record_16mb" / "2026-05-02_Demo"
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
    files |= {f"train_seed{seed}.log": log_text(seed, sha256, len(script), MODEL_BYTES) for seed in SEEDS}
    losses = {seed: round(final_nats(seed), 8) for seed in SEEDS}
    scores = {seed: round(bits_per_byte(losses[seed]), 8) for seed in SEEDS}
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


def write_leaderboard_entry(record: Folder) -> Folder:
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


def write_build(root: Path) -> Folder:
    """A build with one finished run in runs/seed42."""
    folder = root / "build" / "demo"
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
    (run / "train_seed42.log").write_text(log_text(42, hashes["train_gpt.py"], len(script), MODEL_BYTES))
    (run / "final_model.ptz").write_bytes(bytes(MODEL_BYTES))
    (run / "run.json").write_text("{}")
    return Folder(folder)


def _scripts(script: str) -> dict[str, str]:
    return {"train_gpt.py": script, "train_gpt_readable.py": PROGRAM}
