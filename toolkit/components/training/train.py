"""Training: warm-up, steps under the clock, then averaged weights inside the same clock."""

from toolkit.components.config import Config
from toolkit.components.setup.device import peak_memory
from toolkit.components.training.phases import after_step, after_training, before_step, before_training, prime
from toolkit.components.training.progress import Progress
from toolkit.components.training.schedule import learning_rate_scale
from toolkit.components.training.trainer import Trainer


def train(cfg: Config, trainer: Trainer) -> None:
    """Warm up, train and average. The clock then goes on, for calibration on the averaged weights counts as well."""
    cap_seconds = 0.0
    if trainer.env.max_wallclock_seconds:
        cap_seconds = trainer.env.max_wallclock_seconds - cfg.quantize.reserve_seconds
        trainer.log(f"gptq:reserving {cfg.quantize.reserve_seconds:g}s, effective={1000 * cap_seconds:.0f}ms")
    if cfg.train.warmup_steps:
        warm_up(cfg, trainer)
    run_steps(cfg, trainer, cap_seconds)
    trainer.log(peak_memory(trainer.ranks.device))
    after_training(cfg, trainer)


def warm_up(cfg: Config, trainer: Trainer) -> None:
    """Steps that compile and prime, untimed; weights, optimizers, loader and clock then start afresh."""
    initial = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    for step in range(cfg.train.warmup_steps):
        prime(cfg, trainer, step)
        trainer.step(step + 1)
        trainer.log(f"warmup_step: {step + 1}/{cfg.train.warmup_steps}")
    trainer.model.load_state_dict(initial)
    trainer.restart()


def run_steps(cfg: Config, trainer: Trainer, cap_seconds: float) -> None:
    """Train until `iterations`, SIGTERM or the clock: no step is begun that would, by their mean, end past it."""
    before_training(cfg, trainer)
    if cfg.train.val_every:
        trainer.validate(0)
    iterations = trainer.env.iterations
    seconds = 0.0
    for step in range(1, iterations + 1):
        progress = Progress(step - 1, iterations, seconds, cap_seconds)
        scale = learning_rate_scale(cfg, progress)
        before_step(cfg, trainer, progress, scale)
        train_loss = trainer.step(step)
        after_step(cfg, trainer, progress, scale)
        seconds, terminated = trainer.agree()
        if step <= 5 or step % cfg.train.log_every == 0 or step == iterations:
            trainer.log(
                f"{step}/{iterations} train_loss: {train_loss:.8f} train_time: {seconds / 60:.1f}m "
                f"tok/s: {step * cfg.train.batch_tokens / seconds:.0f}"
            )
        if cfg.train.val_every and step % cfg.train.val_every == 0:
            trainer.validate(step)
        out_of_time = cap_seconds and seconds * (step + 1) > cap_seconds * step
        if step < iterations and (terminated or out_of_time):
            reason = "sigterm" if terminated else "wallclock_cap"
            trainer.log(f"stopping_early: {reason} train_time: {1000 * seconds:.0f}ms step: {step}/{iterations}")
            return
