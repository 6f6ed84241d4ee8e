"""What may change from run to run: paths, seed, lengths. The one place where the environment is read."""

import os
from dataclasses import dataclass
from pathlib import Path

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config


@dataclass(frozen=True)
class Environment:
    """Run-time overrides. Names of the variables are those of the competition where it has one."""

    data_path: Path  # DATA_PATH: folder of the shards
    tokenizer_path: Path  # TOKENIZER_PATH
    run_dir: Path  # RUN_DIR: where log and artifact go
    run_id: str  # RUN_ID
    seed: int  # SEED
    iterations: int  # ITERATIONS
    max_wallclock_seconds: float  # MAX_WALLCLOCK_SECONDS; 0 turns the clock off
    eval_only: bool  # EVAL_ONLY: score the existing artifact and stop
    artifact_path: Path  # ARTIFACT_PATH

    @property
    def log_path(self) -> Path:
        return self.run_dir / f"{'eval' if self.eval_only else 'train'}_{self.run_id}.log"


def read_number(name: str, default: float, kind: type) -> float:
    """A number from 0 up to 2^31 from the environment; `InputError` for anything else."""
    text = os.environ.get(name, str(default))
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**31:
        raise InputError(f"{name}: expected a number from 0 to 2^31 in the environment, found {text!r}")
    return value


def read_environment(cfg: Config) -> Environment:
    """Overrides from the environment over the recipe's values."""
    env = os.environ
    seed = int(read_number("SEED", cfg.train.seed, int))
    cap_seconds = float(read_number("MAX_WALLCLOCK_SECONDS", cfg.train.max_wallclock_seconds, float))
    if 0 < cap_seconds <= cfg.quantize.reserve_seconds:
        raise InputError(
            f"MAX_WALLCLOCK_SECONDS: expected more than quantize.reserve_seconds = {cfg.quantize.reserve_seconds:g}, "
            f"or 0 for no clock, found {cap_seconds:g}"
        )
    run_dir = Path(env.get("RUN_DIR", "."))
    return Environment(
        data_path=Path(env.get("DATA_PATH", "data/datasets/" + cfg.data.dataset)),
        tokenizer_path=Path(env.get("TOKENIZER_PATH", "data/tokenizers/" + cfg.data.tokenizer)),
        run_dir=run_dir,
        run_id=env.get("RUN_ID", f"seed{seed}"),
        seed=seed,
        iterations=int(read_number("ITERATIONS", cfg.train.iterations, int)),
        max_wallclock_seconds=cap_seconds,
        eval_only=bool(read_number("EVAL_ONLY", 0, int)),
        artifact_path=Path(env.get("ARTIFACT_PATH", str(run_dir / "final_model.ptz"))),
    )
