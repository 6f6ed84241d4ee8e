"""A recipe's miniature, made to be probed: its script, invented data, runs of it, and its evaluation in this process.

It is that of `golf build --verify`: the same components and stages, a vocabulary of 300 and sizes to match. What is
probed is its readable script, which differs from the recipe's in numbers alone; that modules, readable and packed
script compute the same bits is for `--verify` to show.

Not covered: what only CUDA runs, and several ranks.
"""

import copy
import functools
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.bundle.build import ENTRY, make_readable
from toolkit.bundle.link.resolve import Module, read_modules
from toolkit.bundle.proof.miniature import scaled_down
from toolkit.bundle.proof.verify import clean_environment, run_settings, write_data
from toolkit.components.config import Config
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.data.shards import write_shard
from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME, SCRIPT_NAME
from toolkit.probe.evaluation import Report, nats_by_stage
from toolkit.run.runlog import read_runs

STEPS = 30
_RUN_SECONDS = 600


@dataclass(frozen=True)
class TinyRun:
    """A finished run of a script: its artifact, and val_loss and val_bpb of every stage as its log prints them."""

    folder: Path
    artifact: bytes
    scores: dict[str, str]


def miniature_script(cfg: Config, edit: Callable[[list[Module]], list[Module]] | None = None) -> str:
    """The readable script of a recipe's miniature; `edit` changes the components first, see `cheats`."""
    modules = read_modules(ENTRY)
    return make_readable(scaled_down(cfg), edit(modules) if edit else modules)[0]


class Tiny:
    """The miniature's script and data in a folder, and what is done with them."""

    def __init__(
        self,
        cfg: Config,
        folder: Path,
        edit: Callable[[list[Module]], list[Module]] | None = None,
        variables: dict[str, str] | None = None,  # more of the runs' environment
    ) -> None:
        self.cfg = scaled_down(cfg)
        self.variables = variables or {}
        self.is_edited = edit is not None
        self.folder = folder
        self.text = miniature_script(cfg, edit)
        (folder / SCRIPT_NAME).write_text(self.text, encoding="utf-8")
        write_data(self.cfg, folder)

    @property
    def tokenizer_path(self) -> Path:
        return self.folder / self.cfg.data.tokenizer

    def validation(self) -> np.ndarray:
        """The validation stream, uint16[N]."""
        return read_tokens(find_shards(self.folder / "data", "val"), self.cfg.model.vocab_size)

    def copy_data(self, name: str, validation: np.ndarray) -> None:
        """A copy of the data, in the folder `name`, with another validation stream."""
        data = self.folder / name
        shutil.copytree(self.folder / "data", data)
        for path in find_shards(data, "val"):
            path.unlink()
        write_shard(data / "fineweb_val_000000.bin", validation)

    def settings(self, run_dir: str) -> dict[str, str]:
        """Environment variables of a run into a folder."""
        return run_settings(self.folder, STEPS) | {"RUN_DIR": run_dir} | self.variables

    def run(self, name: str, **overrides: str) -> TinyRun:
        """Run the script in a process of its own into the folder `name`, under overrides of its environment."""
        try:
            process = subprocess.run(
                [sys.executable, SCRIPT_NAME],
                cwd=self.folder,
                env=clean_environment() | self.settings(name) | overrides,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_RUN_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise GolfError(
                f"{self.cfg.name}: expected the miniature to run in {_RUN_SECONDS} s, found it still running"
            ) from None
        if process.returncode:
            last = process.stderr.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            raise GolfError(f"{self.cfg.name}: expected the miniature to run, found: {last[0]}")
        folder = self.folder / name
        return TinyRun(folder, (folder / ARTIFACT_NAME).read_bytes(), read_scores(folder))

    @functools.cached_property
    def trained(self) -> TinyRun:
        """The first run, which the probes share."""
        return self.run("trained")

    @functools.cached_property
    def evaluate(self) -> "ProgramEvaluation":
        """The evaluation of `trained` in this process; `GolfError` unless its scores are those of the script."""
        evaluation = self.evaluate_artifact(self.trained.artifact)
        nats = nats_by_stage(evaluation, torch.from_numpy(self.validation().astype(np.int64)))
        for stage, values in nats.items():
            printed, found = self.trained.scores[stage], f"val_loss:{values.mean():.6f}"
            if not printed.startswith(found[:-1]):
                raise GolfError(f"{stage}: expected {printed} as the script prints it, found {found}")
        return evaluation

    def evaluate_artifact(self, artifact: bytes) -> "ProgramEvaluation":
        """The script's evaluation of any artifact of the recipe."""
        return ProgramEvaluation(self.folder / SCRIPT_NAME, self.cfg, self.tokenizer_path, artifact)


def read_scores(folder: Path) -> dict[str, str]:
    """Scores by label as the log in a run's folder prints them; none without a log."""
    runs = [run for log in folder.glob("*_trial.log") for run in read_runs(log)]
    scores = [score for run in runs for score in run.scores]
    return {score.stage: f"val_loss:{score.val_loss:.8f} val_bpb:{score.val_bpb:.8f}" for score in scores}


class ProgramEvaluation:
    """`run_stages` of a script in this process, on a decoded artifact."""

    def __init__(self, script: Path, cfg: Config, tokenizer_path: Path, artifact: bytes) -> None:
        self.program: dict[str, Any] = {"__name__": "probed"}  # so that its entry does not run
        exec(compile(script.read_bytes(), script, "exec"), self.program)
        self.ranks = self.program["Ranks"](0, 1, torch.device("cpu"))
        self.tokenizer = self.call("load_tokenizer", path=tokenizer_path, vocab_size=cfg.model.vocab_size)
        self.tables = self.call("byte_tables", tokenizer=self.tokenizer)
        self.model = self.call("model_on", device=self.ranks.device)
        quantized = self.call("decode_artifact", blob=artifact)
        self.model.load_state_dict(self.call("dequantize_weights", quantized=quantized))
        self.model.eval()

    def call(self, name: str, **available: Any) -> Any:
        """Call a function of the script with those of its parameters that folding has left it."""
        function = self.program[name]
        return function(**{name: available[name] for name in inspect.signature(function).parameters})

    def target_bytes(self, tokens: Tensor) -> np.ndarray:
        """Bytes of all targets, int64[N - 1]."""
        counts: np.ndarray = self.call("count_target_bytes", tables=self.tables, tokens=tokens.numpy())
        return counts

    def __call__(self, tokens: Tensor, report: Report) -> None:
        def score_line(label: str, nats: Tensor, *_: object) -> str:
            report(label, nats.numpy().copy())
            return ""

        self.program["score_line"] = score_line
        self.call(
            "run_stages",
            model=copy.deepcopy(self.model),  # a stage may adapt it
            tokens=tokens.clone(),
            target_bytes=self.target_bytes(tokens),
            tokenizer=self.tokenizer,
            ranks=self.ranks,
            log=lambda text: None,
        )
