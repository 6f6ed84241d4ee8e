"""The network of `bench mix`: trained once from `network.toml`, by the components of a submission, then read back."""

import hashlib
import io
from pathlib import Path

import torch

from bench.mix.text import build_data
from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.setup.device import model_on
from toolkit.components.setup.environment import Environment
from toolkit.components.setup.inputs import Inputs, read_inputs
from toolkit.components.training.train import train
from toolkit.components.training.trainer import Trainer
from toolkit.errors import GolfError
from toolkit.folders import write_atomically

ALONE = Ranks(0, 1, torch.device("cpu"))


def network_on_text(
    cfg: Config,
    train_text: bytes,
    val_text: bytes,
    folder: Path,  # keeps data, weights and log of the training
) -> tuple[GPT, Inputs]:
    """The float model in its state after training, and what it is to be scored on.

    Weights are kept by the settings that make them: others train another network.
    """
    settings = repr((cfg.model, cfg.data, cfg.optimizer, cfg.train))
    weights = folder / f"network_{hashlib.sha256(settings.encode()).hexdigest()[:16]}.pt"
    env = Environment(
        data_path=folder / cfg.data.dataset,
        tokenizer_path=folder / cfg.data.tokenizer,
        run_dir=folder,
        run_id=weights.stem,
        seed=cfg.train.seed,
        iterations=cfg.train.iterations,
        max_wallclock_seconds=cfg.train.max_wallclock_seconds,
        eval_only=False,
        artifact_path=weights,
    )
    build_data(train_text, val_text, cfg.model.vocab_size, env.data_path, env.tokenizer_path)
    inputs = read_inputs(cfg, env, ALONE)
    torch.manual_seed(env.seed)
    model = model_on(cfg, ALONE.device)
    if not weights.is_file():
        trainer = Trainer(cfg, model, inputs, env, ALONE, Log(env.log_path, enabled=True))
        train(cfg, trainer)
        if trainer.terminated:
            raise GolfError("bench mix: expected to train to the end, found SIGTERM; nothing is kept")
        saved = io.BytesIO()
        torch.save(model.state_dict(), saved)
        write_atomically(weights, saved.getvalue())
    model.load_state_dict(torch.load(weights))
    return model, inputs
