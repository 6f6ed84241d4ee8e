"""Training: warm-up, steps under the clock, then averaged weights and their Hessians inside the same clock."""

import math
import signal

import torch
from torch import Tensor

from toolkit.components.base.failure import InputError
from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import Curvature, collect_curvatures
from toolkit.components.quantizing.gptq import collect_hessians
from toolkit.components.scoring.roundtrip import score_blocks
from toolkit.components.scoring.score import bits_per_byte
from toolkit.components.setup.device import peak_memory
from toolkit.components.setup.environment import Environment
from toolkit.components.setup.inputs import Inputs
from toolkit.components.text.loader import make_loader
from toolkit.components.training.clock import TrainingClock
from toolkit.components.training.ema import WeightAverage
from toolkit.components.training.optimizer import make_optimizers, set_rates
from toolkit.components.training.schedule import learning_rate_scale
from toolkit.components.training.swa import SnapshotMean


class Trainer:
    """One rank's part in training `model` in place; `train` is the whole of it.

    SIGTERM ends the steps as the clock would. All ranks decide alike: the time is rank 0's, and a signal to one rank
    counts for all.
    """

    def __init__(self, cfg: Config, model: GPT, inputs: Inputs, env: Environment, ranks: Ranks, log: Log) -> None:
        self.cfg = cfg
        self.model = model
        self.params = list(model.parameters())
        self.inputs = inputs
        self.env = env
        self.ranks = ranks
        self.log = log
        self.terminated = False
        self.hessians: dict[str, Tensor] = {}
        self.curvatures: dict[str, Curvature] = {}
        signal.signal(signal.SIGTERM, self.terminate)
        self.restart()

    def terminate(self, *_: object) -> None:
        self.terminated = True

    def restart(self) -> None:
        """Optimizers without a past, and the training stream from its beginning."""
        self.optimizers = make_optimizers(self.cfg, self.model, self.ranks)
        self.loader = make_loader(
            self.cfg, self.inputs.train_paths, self.ranks.rank, self.ranks.world_size, self.env.seed
        )

    def train(self) -> None:
        """Warm up, train, average, and collect what the quantizer needs: Hessians or curvatures, or neither."""
        cap_seconds = 0.0
        if self.env.max_wallclock_seconds:
            cap_seconds = self.env.max_wallclock_seconds - self.cfg.quantize.reserve_seconds
            self.log(f"gptq:reserving {self.cfg.quantize.reserve_seconds:g}s, effective={1000 * cap_seconds:.0f}ms")
        if self.cfg.train.warmup_steps:
            self.warm_up()
        self.clock = TrainingClock(self.ranks.device)
        self.run_steps(cap_seconds)
        self.log(peak_memory(self.ranks.device))
        if self.cfg.optimizer.ema_decay:
            self.log("ema:applying EMA weights")
            self.average.apply()
        if self.cfg.optimizer.swa_every_steps:
            self.log(f"swa:applying the mean of {self.snapshots.count} snapshots")
            self.snapshots.apply()
        if self.cfg.quantize.method in ("gptq", "tcq"):
            self.log("GPTQ:collecting Hessians from calibration data...")
            started = self.clock.read()
            if self.cfg.quantize.method == "gptq":
                self.hessians = collect_hessians(self.cfg, self.model, self.loader, self.ranks)
            else:
                self.curvatures = collect_curvatures(self.cfg, self.model, self.loader, self.ranks)
            number = len(self.hessians) + 2 * len(self.curvatures)
            self.log(f"GPTQ:collected {number} Hessians in {self.clock.read() - started:.1f}s")
        self.log(f"train_time_with_calibration: {1000 * self.clock.read():.0f}ms")

    def warm_up(self) -> None:
        """Steps that compile and prime, untimed; weights, optimizers and loader then start afresh."""
        initial = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        for step in range(self.cfg.train.warmup_steps):
            self.step(step, 1.0)
            self.log(f"warmup_step: {step + 1}/{self.cfg.train.warmup_steps}")
        self.model.load_state_dict(initial)
        self.restart()

    def run_steps(self, cap_seconds: float) -> None:
        """Train until `iterations`, SIGTERM or the clock: no step is begun that would, by their mean, end past it."""
        if self.cfg.optimizer.ema_decay:
            self.average = WeightAverage(self.cfg, self.model)
        if self.cfg.optimizer.swa_every_steps:
            self.snapshots = SnapshotMean(self.cfg, self.model)
        if self.cfg.train.val_every:
            self.validate(0)
        iterations = self.env.iterations
        seconds = 0.0
        for step in range(1, iterations + 1):
            scale = learning_rate_scale(self.cfg, step - 1, iterations, seconds, cap_seconds)
            train_loss = self.step(step - 1, scale)
            if self.cfg.optimizer.ema_decay:
                self.average.update()
            if self.cfg.optimizer.swa_every_steps and self.snapshots.update(step, scale):
                self.log(f"swa:snapshot {self.snapshots.count} at step {step}")
            seconds, terminated = self.agree()
            if step <= 5 or step % self.cfg.train.log_every == 0 or step == iterations:
                self.log(
                    f"{step}/{iterations} train_loss: {train_loss:.8f} train_time: {seconds / 60:.1f}m "
                    f"tok/s: {step * self.cfg.train.batch_tokens / seconds:.0f}"
                )
            if self.cfg.train.val_every and step % self.cfg.train.val_every == 0:
                self.validate(step)
            out_of_time = cap_seconds and seconds * (step + 1) > cap_seconds * step
            if step < iterations and (terminated or out_of_time):
                reason = "sigterm" if terminated else "wallclock_cap"
                self.log(f"stopping_early: {reason} train_time: {1000 * seconds:.0f}ms step: {step}/{iterations}")
                return

    def step(self, number: int, scale: float) -> float:
        """One optimizer step on the global batch; its mean loss in nats, the same on all ranks."""
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
                f"step {number + 1}: expected a finite training loss, found {train_loss}; lower the learning rates"
            )
        if self.cfg.optimizer.grad_clip_norm:
            torch.nn.utils.clip_grad_norm_(self.params, self.cfg.optimizer.grad_clip_norm)
        set_rates(self.cfg, self.optimizers, number, scale)
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
