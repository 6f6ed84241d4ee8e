"""The whole run: check the inputs and the compiler, train, write the artifact, then score what the file holds."""

import contextlib
import hashlib
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from toolkit.components.artifact.accounting import byte_shares, share_lines
from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.base.log import Log, unwritable
from toolkit.components.base.ranks import Ranks, close_ranks, open_ranks
from toolkit.components.config import Config
from toolkit.components.model.levels import stop_rounding
from toolkit.components.quantizing.methods import collect, compile_quantizer, quantize_model
from toolkit.components.scoring.roundtrip import score_blocks
from toolkit.components.scoring.score import score_line
from toolkit.components.setup.device import hardware_name, model_on
from toolkit.components.setup.environment import Environment, read_environment
from toolkit.components.setup.inputs import Inputs, read_inputs
from toolkit.components.stages import prepare_stages, run_stages
from toolkit.components.training.train import train
from toolkit.components.training.trainer import Trainer


def main(cfg: Config, script_path: str) -> None:
    """Run under the environment of `environment.py`, alone or as one of torchrun's ranks.

    `script_path` is the file whose bytes count as code. Bad input ends with one line on standard error and exit code 1.
    """
    ranks = open_ranks()
    try:
        env = read_environment(cfg)
        inputs = read_inputs(cfg, env, ranks)
        prepare_stages(cfg)
        compile_quantizer(cfg, env)
        log = Log(env.log_path, ranks.is_main)
        code = Path(script_path).read_bytes()
        digest = hashlib.sha256(code).hexdigest()
        log_settings(cfg, env, ranks, digest, log)
        log_inputs(inputs, log)
        if not env.eval_only:
            train_artifact(cfg, inputs, env, ranks, len(code), log)
        blob = read_artifact(env.artifact_path)
        log(f"Code size: {len(code)} bytes")
        log(f"Serialized model {cfg.quantize.label}: {len(blob)} bytes")
        log(f"Total submission size {cfg.quantize.label}: {len(code) + len(blob)} bytes")
        log(f"bundle_sha256: {digest}")
        model = model_on(cfg, ranks.device)
        model.load_state_dict(dequantize_weights(cfg, decode_artifact(cfg, blob)))
        stop_rounding(cfg, model)
        run_stages(cfg, model, inputs.tokens, inputs.target_bytes, inputs.tokenizer, ranks, log)
    except InputError as error:
        if ranks.device.type == "cpu":  # NCCL would wait for ranks that know nothing of this
            close_ranks(ranks)
        sys.exit(f"error: {error}")
    close_ranks(ranks)


def train_artifact(cfg: Config, inputs: Inputs, env: Environment, ranks: Ranks, code_bytes: int, log: Log) -> None:
    """Train from the seed and write the artifact; returns on all ranks when it is there to be read."""
    torch.manual_seed(env.seed)
    model = model_on(cfg, ranks.device)
    log(f"model_params:{sum(param.numel() for param in model.parameters())}")
    trainer = Trainer(cfg, model, inputs, env, ranks, log)
    train(cfg, trainer)
    stats = collect(cfg, model, trainer.loader, ranks, trainer.clock, log)
    log(f"train_time_with_calibration: {1000 * trainer.clock.read():.0f}ms")
    started = time.perf_counter()
    nats = score_blocks(cfg, model, inputs.tokens, ranks)
    log(score_line("pre-quantization post-ema", nats, inputs.target_bytes, started))
    if ranks.is_main:
        quantized = quantize_model(cfg, model.state_dict(), stats, code_bytes, log)
        blob = encode_artifact(cfg, quantized)
        log(f"Serialized model: {sum(4 * param.numel() for param in model.parameters())} bytes")
        for line in share_lines(byte_shares(cfg, quantized, len(blob))):
            log(line)
        write_artifact(env.artifact_path, blob)
    ranks.barrier()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_artifact(path: Path, blob: bytes) -> None:
    """All of it or nothing, in place of what was there."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(blob)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise unwritable(path, error) from None


def read_artifact(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected an artifact, found: {error.strerror}; ARTIFACT_PATH names it") from None


def log_settings(cfg: Config, env: Environment, ranks: Ranks, digest: str, log: Log) -> None:
    """The competition's block of settings, one a line and sorted, and the machine."""
    log("Hyperparameters:")
    settings = (
        *cfg.settings,
        *(f"{name}: {value}" for name, value in asdict(env).items()),
        f"bundle_sha256: {digest}",
        f"grad_accum_steps: {cfg.train.micro_batches // ranks.world_size}",
        f"world_size: {ranks.world_size}",
    )
    for setting in sorted(settings):
        log(f"  {setting}")
    log(f"hardware: {hardware_name(ranks.device)}")


def log_inputs(inputs: Inputs, log: Log) -> None:
    if inputs.train_paths:
        log(f"train_shards: {len(inputs.train_paths)}")
    log(f"val_tokens: {len(inputs.tokens)}")
    log(f"val_targets: {len(inputs.target_bytes)}")
    log(f"val_bytes: {inputs.target_bytes.sum()}")
