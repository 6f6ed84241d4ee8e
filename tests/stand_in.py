"""A stand-in for a bundled script: no training, but the same environment, files and log lines.

Scores and sizes follow from the seed alone, so a test can work out what a record must hold.
STAND_IN=fail ends with an error line, STAND_IN=hang writes its process id to RUN_DIR/pid and waits.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

seed = int(os.environ["SEED"])
rank = int(os.environ.get("RANK", "0"))
run_dir = Path(os.environ["RUN_DIR"])
code = Path(__file__).read_bytes()
artifact = bytes(1_000_000 + seed)
loss = 3.0 + seed / 1e5
log_path = run_dir / f"train_{os.environ['RUN_ID']}.log"


def log(text: str) -> None:
    if rank == 0:
        print(text, flush=True)
        with log_path.open("a") as file:
            file.write(text + "\n")


def stage(name: str, nats: float) -> None:
    log(f"{name} val_loss:{nats:.8f} val_bpb:{nats / 1.6885:.8f} eval_time:1500ms")


run_dir.mkdir(parents=True, exist_ok=True)
digest = hashlib.sha256(code).hexdigest()
log(
    "Hyperparameters:\n"
    "  iterations: 20000\n"
    "  max_wallclock_seconds: 60.0\n"
    "  stages: ['roundtrip', 'sliding', 'sliding+ppm_trie']\n"
    f"  run_dir: {run_dir}\n"
    f"  threads: {os.environ.get('OMP_NUM_THREADS')}\n"
    "  track: non-record-16mb\n"
    "  train_batch_tokens: 4096\n"
    "  vocab_size: 1024"
)
log(f"bundle_sha256: {digest}")
log(f"  seed: {seed}\n  world_size: {os.environ.get('WORLD_SIZE', '1')}")
log("hardware: a stand-in with 2 threads\ntrain_shards: 1")
log("val_tokens: 1000001\nval_targets: 1000000\nval_bytes: 2435967")
if os.environ.get("STAND_IN") == "fail":
    sys.exit("error: data/datasets: expected shards fineweb_train_*.bin, found none")
if os.environ.get("STAND_IN") == "hang":
    (run_dir / f"pid{rank}").write_text(str(os.getpid()))
    log("waiting")
    time.sleep(60)
log("model_params:800000\ngptq:reserving 3s, effective=57000ms\nwarmup_step: 1/2\nwarmup_step: 2/2")
log("50/20000 train_loss: 5.1234 train_time: 0.1m tok/s: 12345")
log(f"stopping_early: wallclock_cap train_time: 57012ms step: {800 + seed}/20000")
log("peak memory allocated: 700 MiB reserved: 700 MiB\nema:applying EMA weights")
log("GPTQ:collecting Hessians from calibration data...\nGPTQ:collected 25 Hessians in 2.1s")
log("train_time_with_calibration: 59112ms")
stage("pre-quantization post-ema", loss)
log("GPTQ quantization: 25 layers with full GPTQ, 0 fallback to round-to-nearest")
(run_dir / "final_model.ptz").write_bytes(artifact)
log(f"Serialized model: 3200000 bytes\nCode size: {len(code)} bytes")
log(f"Serialized model int6+brotli: {len(artifact)} bytes")
log(f"Total submission size int6+brotli: {len(code) + len(artifact)} bytes")
log(f"bundle_sha256: {digest}")
stage("final_int6_roundtrip", loss + 0.01)
stage("final_int6_sliding_window", loss - 0.05)
stage("final_int6_ppm_trie", loss - 0.1)
log("total_eval_time:4.5s")
