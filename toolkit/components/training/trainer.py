"""What training works on and with, and one step of it."""

import math
import signal

import torch

from toolkit.components.base.failure import InputError
from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.scoring.roundtrip import score_blocks
from toolkit.components.scoring.score import bits_per_byte
from toolkit.components.setup.environment import Environment
from toolkit.components.setup.inputs import Inputs
from toolkit.components.text.loader import make_loader
from toolkit.components.training.clock import TrainingClock
from toolkit.components.training.ema import WeightAverage
from toolkit.components.training.optimizer import make_optimizers
from toolkit.components.training.swa import SnapshotMean


class Trainer:
    """One rank's part in training `model` in place.

    SIGTERM ends training as the clock would. All ranks decide alike: the time is rank 0's, and a signal to one rank
    counts for all. A part of the recipe that keeps something from one phase to the next declares it here and sets it
    itself.
    """

    average: WeightAverage
    snapshots: SnapshotMean

    def __init__(self, cfg: Config, model: GPT, inputs: Inputs, env: Environment, ranks: Ranks, log: Log) -> None:
        self.cfg = cfg
        self.model = model
        self.params = list(model.parameters())
        self.inputs = inputs
        self.env = env
        self.ranks = ranks
        self.log = log
        self.terminated = False
        signal.signal(signal.SIGTERM, self.terminate)
        self.restart()

    def terminate(self, *_: object) -> None:
        self.terminated = True

    def restart(self) -> None:
        """Optimizers without a past, the training stream from its beginning and the clock from 0."""
        self.optimizers = make_optimizers(self.cfg, self.model, self.ranks)
        self.loader = make_loader(
            self.cfg, self.inputs.train_paths, self.ranks.rank, self.ranks.world_size, self.env.seed
        )
        self.clock = TrainingClock(self.ranks.device)

    def step(self, number: int) -> float:
        """One optimizer step on the global batch; its mean loss in nats, the same on all ranks.

        `number` counts steps from 1. The learning rates are those that the optimizers have.
        """
        total = torch.zeros((), device=self.ranks.device)
        for _ in range(self.cfg.train.micro_batches // self.ranks.world_size):
            x, y = self.loader.next_batch()
            loss = self.model(x.to(self.ranks.device), y.to(self.ranks.device)) / self.cfg.train.micro_batches
            loss.backward()
            total += loss.detach()
        self.ranks.sum_all_([total, *(param.grad for param in self.params if param.grad is not None)])
        train_loss = total.item()
        if not math.isfinite(train_loss):
            raise InputError(
                f"step {number}: expected a finite training loss, found {train_loss}; lower the learning rates"
            )
        if self.cfg.optimizer.grad_clip_norm:
            torch.nn.utils.clip_grad_norm_(self.params, self.cfg.optimizer.grad_clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        return train_loss

    def agree(self) -> tuple[float, bool]:
        """Rank 0's clock in seconds, and whether any rank has been told to end; the same on all ranks."""
        mine = [self.clock.read() * self.ranks.is_main, float(self.terminated)]
        state = torch.tensor(mine, dtype=torch.float64, device=self.ranks.device)
        seconds, terminated = self.ranks.sum_(state).tolist()
        return seconds, terminated > 0

    def validate(self, step: int) -> None:
        """Log the score of the weights as they are, off the clock."""
        self.clock.stop()
        nats = score_blocks(self.cfg, self.model, self.inputs.tokens, self.ranks)
        val_bpb = bits_per_byte(nats, self.inputs.target_bytes)
        self.log(f"{step}/{self.env.iterations} val_loss: {nats.mean().item():.4f} val_bpb: {val_bpb:.4f}")
        self.clock.start()
