"""What the tests of calibration share: a model in which every layer takes part, and data to calibrate it on."""

from pathlib import Path

import numpy as np
import torch

from toolkit.components.config import Config
from toolkit.components.gpt import GPT
from toolkit.data.shards import write_shard


def noisy_model(cfg: Config) -> GPT:
    """No matrix starts at zero, so that every layer has inputs and gradients."""
    torch.manual_seed(3)
    model = GPT(cfg)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def random_shards(cfg: Config, folder: Path) -> list[Path]:
    """One training shard of 3,000 random tokens."""
    path = folder / "fineweb_train_000000.bin"
    write_shard(path, np.random.default_rng(0).integers(cfg.model.vocab_size, size=3000))
    return [path]
