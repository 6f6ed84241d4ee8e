"""A stand-in for a bundled script: no training, but the same environment, files and log lines.

Scores and sizes follow from the seed alone, so a test can work out what a record must hold.
STAND_IN=fail ends with an error line, STAND_IN=hang writes its process id to RUN_DIR/pid and waits.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

from tests.support.log import log_text

seed = int(os.environ["SEED"])
rank = int(os.environ.get("RANK", "0"))
run_dir = Path(os.environ["RUN_DIR"])
code = Path(__file__).read_bytes()
artifact = bytes(1_000_000 + seed)
log_path = run_dir / f"train_{os.environ['RUN_ID']}.log"


def log(text: str) -> None:
    if rank == 0:
        print(text, flush=True)
        with log_path.open("a") as file:
            file.write(text + "\n")


run_dir.mkdir(parents=True, exist_ok=True)
text = log_text(
    seed,
    hashlib.sha256(code).hexdigest(),
    len(code),
    len(artifact),
    "a stand-in with 2 threads",
    run_dir=run_dir,
    threads=os.environ.get("OMP_NUM_THREADS"),
    world_size=os.environ.get("WORLD_SIZE", "1"),
)
inputs, mark, training = text.partition("model_params:")
log(inputs.rstrip())
if os.environ.get("STAND_IN") == "fail":
    sys.exit("error: data/datasets: expected shards fineweb_train_*.bin, found none")
if os.environ.get("STAND_IN") == "hang":
    (run_dir / f"pid{rank}").write_text(str(os.getpid()))
    log("waiting")
    time.sleep(60)
(run_dir / "final_model.ptz").write_bytes(artifact)
log(mark + training.rstrip())
