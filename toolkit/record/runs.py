"""The runs that go into a record: read from their folders, and refused unless they belong together."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME, BUNDLE_NAME, LAUNCH_NAME, RECIPE_NAME, SCRIPT_NAME, build_of, log_name
from toolkit.recipe import load_recipe
from toolkit.run.runlog import RunLog, Score, read_runs

DATA_VARIABLES = ("DATA_PATH", "TOKENIZER_PATH")  # where the data lay: no part of the configuration
_REQUIRED = {  # fact of a log -> the line that brings it
    "bundle_sha256": "bundle_sha256: <64 hex digits>",
    "world_size": "world_size: N",
    "code_bytes": "Code size: N bytes",
    "total_bytes": "Total submission size <codec>: N bytes",
    "model_bytes": "Serialized model <codec>: N bytes",
    "total_eval_seconds": "total_eval_time:N.Ns",
    "hardware": "hardware: <name>",
}


@dataclass(frozen=True)
class Build:
    """A build folder: the recipe it was made from, and its script's digest and size."""

    folder: Path
    cfg: Config
    sha256: str
    code_bytes: int


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its log, and what `run.json` says of how it was launched."""

    folder: Path
    log: RunLog
    headline: Score
    launched: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.launched["seed"])

    @property
    def overrides(self) -> dict[str, str]:
        """Overrides of the script's environment, those of the data's place left out."""
        environment: dict[str, str] = self.launched["environment"]
        return {name: value for name, value in environment.items() if name not in DATA_VARIABLES}

    @property
    def world_size(self) -> int:
        return int(self.log.number("world_size"))

    @property
    def artifact_bytes(self) -> int:
        """Code and compressed model together."""
        return int(self.measure("artifact_bytes"))

    def measure(self, name: str) -> Any:
        """A property of the log that `read_run` has found to be there."""
        return getattr(self.log, name)


def read_run(folder: Path) -> Run:
    """Read the folder of a finished run and hold its log against the files beside it."""
    try:
        found = json.loads((folder / LAUNCH_NAME).read_text())
        launched = {key: found[key] for key in ("seed", "exit_code", "environment", "packages")}
    except (OSError, ValueError, KeyError, TypeError):
        raise GolfError(
            f"{folder}: expected a run folder with {LAUNCH_NAME}, found none; `golf train` writes it"
        ) from None
    if launched["exit_code"] != 0:
        found = f"exit code {launched['exit_code']}"
        raise GolfError(f"{folder}: expected a finished run, found {found}; run it again, or leave this folder out")
    log_path = folder / log_name(launched["seed"])
    if not log_path.is_file():
        raise GolfError(f"{folder}: expected {log_path.name}, found no such file; run the training again")
    logs = read_runs(log_path)
    if len(logs) != 1 or logs[0].headline is None:
        raise GolfError(
            f"{log_path}: expected one finished run with a score, found {len(logs)}; run the training again"
        )
    log = logs[0]
    for fact, line in _REQUIRED.items():
        if fact not in log.facts:
            raise GolfError(f"{log_path}: expected a line `{line}`, found none; run the training again")
    artifact = folder / ARTIFACT_NAME
    found_bytes, logged_bytes = artifact.stat().st_size, log.model_bytes
    if found_bytes != logged_bytes:
        raise GolfError(f"{artifact}: expected {logged_bytes} bytes as logged, found {found_bytes}; run it again")
    return Run(folder, log, logs[0].headline, launched)


def read_build(folder: Path) -> Build:
    """Read a build folder as `golf build` writes it."""
    try:
        name = json.loads((folder / BUNDLE_NAME).read_text())["recipe"]
        script = (folder / SCRIPT_NAME).read_bytes()
    except (OSError, ValueError, KeyError):
        raise GolfError(
            f"{folder}: expected a build with {SCRIPT_NAME} and {BUNDLE_NAME}; make it with `golf build`"
        ) from None
    cfg = replace(load_recipe(folder / RECIPE_NAME), name=name)
    return Build(folder, cfg, hashlib.sha256(script).hexdigest(), len(script))


def read_matching_runs(folders: Sequence[Path]) -> tuple[Build, list[Run]]:
    """A build and its runs, sorted by seed.

    `GolfError` unless all runs are of the script as it lies there, in one configuration, with distinct seeds.
    """
    if not folders:
        raise GolfError("runs: expected at least one run folder, found none")
    runs = [read_run(folder.resolve()) for folder in folders]
    first = runs[0]
    build = read_build(build_of(first.folder))
    seen: dict[int, Path] = {}
    for run in runs:
        if run.seed in seen:
            raise GolfError(
                f"seed {run.seed}: expected distinct seeds, found the same seed in {seen[run.seed]} and {run.folder}"
            )
        seen[run.seed] = run.folder
        logged = run.log.facts["bundle_sha256"]
        if logged.value != build.sha256:
            raise GolfError(
                f"{run.log.path}:{logged.line}: expected a log of {build.folder / SCRIPT_NAME} "
                f"({build.sha256[:12]}), found the log of a different script ({str(logged.value)[:12]}); "
                "train this build again"
            )
        if (run.overrides, run.world_size) != (first.overrides, first.world_size):
            raise GolfError(
                f"{run.folder}: expected the configuration of seed {first.seed} (world size {first.world_size}, "
                f"overrides {first.overrides}), found world size {run.world_size}, overrides {run.overrides}"
            )
    return build, sorted(runs, key=lambda run: run.seed)
