"""Progress as read from log lines, here those of the stand-in script."""

import subprocess
import sys
from pathlib import Path

from toolkit.run.progress import RunProgress, stage_title


def test_share_only_grows_and_ends_at_one(stand_in_build: Path, tmp_path: Path) -> None:
    environment = {"SEED": "1", "RUN_ID": "one", "RUN_DIR": str(tmp_path)}
    command = [sys.executable, str(stand_in_build / "train_gpt.py")]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    progress = RunProgress()
    shares, texts = [], []
    for line in output.stdout.splitlines():
        progress.feed(line)
        shares.append(progress.share)
        texts.append(progress.text)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert max(shares[:-1]) < 1.0
    assert list(dict.fromkeys(texts)) == [
        "starting",
        "warming up",
        "step 50, loss 5.123",
        "training done",
        "collecting Hessians",
        "quantizing",
        "float: 1.7767 BPB",
        "evaluating",
        "int6 roundtrip: 1.7826 BPB",
        "int6 sliding window: 1.7471 BPB",
        "int6 ppm trie: 1.7175 BPB",
    ]


def test_stage_titles() -> None:
    assert stage_title("pre-quantization post-ema") == "float"
    assert stage_title("final_int8_roundtrip") == "int8 roundtrip"
