"""The log of a run as our scripts print it, with invented figures: what tests read, spoil and package.

The stand-in script holds a copy of this file, so nothing of ours is imported here.
"""

import math

STAGES = ("roundtrip", "sliding", "sliding+ppm_trie")
BYTES_PER_TOKEN = 2.436
TARGETS = 1_000_000


def final_nats(seed: int) -> float:
    """Nats per token of the last stage, a little apart for every seed."""
    return 2.9 + seed / 1e6


def bits_per_byte(nats: float) -> float:
    return nats / (math.log(2) * BYTES_PER_TOKEN)


def log_text(
    seed: int, sha256: str, code_bytes: int, model_bytes: int, hardware: str = "some CPU, 2 threads", **settings: object
) -> str:
    """All lines of a run of the demo that trained and scored its three stages; `settings` add to those it lists."""

    def score(key: str, nats: float) -> str:
        return f"{key} val_loss:{nats:.8f} val_bpb:{bits_per_byte(nats):.8f} eval_time:1500ms\n"

    listed: dict[str, object] = {
        "bundle_sha256": sha256,
        "data_path": "../../data/datasets/demo_sp1024",
        "dataset": "demo_sp1024",
        "iterations": 20000,
        "seed": seed,
        "stages": STAGES,
        "tokenizer": "demo_1024_bpe.model",
        "track": "non-record-16mb",
        "vocab_size": 1024,
        "world_size": 1,
    } | settings
    final = final_nats(seed)
    return (
        "Hyperparameters:\n"
        + "".join(f"  {name}: {value}\n" for name, value in sorted(listed.items()))
        + f"hardware: {hardware}\n"
        "train_shards: 1\n"
        f"val_tokens: {TARGETS + 1}\n"
        f"val_targets: {TARGETS}\n"
        f"val_bytes: {TARGETS * BYTES_PER_TOKEN:.0f}\n"
        "model_params:800000\n"
        "gptq:reserving 3s, effective=57000ms\n"
        "warmup_step: 1/2\n"
        "warmup_step: 2/2\n"
        "0/20000 val_loss: 6.9000 val_bpb: 4.1000\n"
        "50/20000 train_loss: 5.1234 train_time: 0.1m tok/s: 12345\n"
        "stopping_early: wallclock_cap train_time: 57012ms step: 812/20000\n"
        "peak memory allocated: 700 MiB reserved: 700 MiB\n"
        "ema:applying EMA weights\n"
        "GPTQ:collecting Hessians from calibration data...\n"
        "GPTQ:collected 25 Hessians in 2.1s\n"
        "train_time_with_calibration: 59112ms\n"
        + score("pre-quantization post-ema", final + 0.1)
        + "GPTQ quantization: 25 layers with full GPTQ, 0 fallback to round-to-nearest\n"
        "Serialized model: 3200000 bytes\n"
        f"Code size: {code_bytes} bytes\n"
        f"Serialized model int6+brotli: {model_bytes} bytes\n"
        f"Total submission size int6+brotli: {code_bytes + model_bytes} bytes\n"
        f"bundle_sha256: {sha256}\n"
        + score("final_int6_roundtrip", final + 0.11)
        + score("final_int6_sliding_window", final + 0.05)
        + score("final_int6_ppm_trie", final)
        + "total_eval_time:4.5s\n"
    )
