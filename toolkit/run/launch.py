"""Train a build with one seed under torchrun, into a run folder that appears only when the run has finished.

    build/demo/train_gpt.py  ->  build/demo/runs/seed42/{train_seed42.log, final_model.ptz, run.json}

While it lasts a run lives in `seed42.partial`. An interrupted run leaves nothing; a failed one stays as `seed42.failed`
with all it printed in `output.txt`. A finished run of the same script, ranks and overrides is not repeated.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from toolkit.errors import GolfError, did_you_mean
from toolkit.folders import (
    ARTIFACT_NAME,
    LAUNCH_NAME,
    OUTPUT_NAME,
    RECIPE_NAME,
    RUNS_NAME,
    SCRIPT_NAME,
    dataset_folder,
    put_in_place,
    run_folder,
    run_id,
    sha256_of,
    tokenizer_path,
)
from toolkit.recipe import load_recipe
from toolkit.run.processes import available_cores, ending, interrupt_on_termination

OVERRIDES = ("DATA_PATH", "TOKENIZER_PATH", "ITERATIONS", "MAX_WALLCLOCK_SECONDS")  # read by the script, free to change
OURS = ("SEED", "RUN_ID", "RUN_DIR", "EVAL_ONLY", "ARTIFACT_PATH")  # read by the script, set by the launch
PACKAGES = ("torch", "numpy", "sentencepiece", "brotli")  # all that a script may import besides the standard library
_TORCHRUN_LINE = re.compile(r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ \d+ \S*torch/|\*{9,}")


@dataclass(frozen=True)
class _Job:
    """One run: which script, which seed, how many ranks, under which overrides."""

    script: Path
    seed: int
    nproc: int
    overrides: dict[str, str]

    @property
    def folder(self) -> Path:
        return run_folder(self.script.parent, self.seed)

    @property
    def arguments(self) -> list[str]:
        return ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={self.nproc}", self.script.name]

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same; `run.json` keeps it with the outcome."""
        return {
            "command": ["python", *self.arguments],
            "seed": self.seed,
            "environment": self.overrides,
            "bundle_sha256": sha256_of(self.script),
        }

    def environment(self, run_dir: str) -> dict[str, str]:
        # torchrun gives each of several ranks one thread, and a lone one whatever torch thinks right.
        threads = {"OMP_NUM_THREADS": str(max(1, available_cores() // self.nproc))}
        ours = {"SEED": str(self.seed), "RUN_ID": run_id(self.seed), "RUN_DIR": run_dir, "EVAL_ONLY": "0"}
        return threads | dict(os.environ) | self.overrides | ours | {"ARTIFACT_PATH": f"{run_dir}/{ARTIFACT_NAME}"}


def launch(
    build_dir: Path,
    seed: int,
    *,
    nproc: int = 1,
    env: dict[str, str] | None = None,
    timeout_seconds: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Path:
    """Run `train_gpt.py` of a build with one seed on `nproc` ranks; returns the finished run's folder.

    `env` overrides the script's environment, as exported variables of `OVERRIDES` do; the script runs inside the build
    folder, so relative paths start there. `on_line` receives every line of output as it comes. Raises `GolfError` with
    the script's own last line when it fails or takes longer than `timeout_seconds`; whatever is raised, no process
    and no partial folder stays behind.
    """
    job = _Job(_script(build_dir), seed, nproc, _overrides(env or {}))
    if is_finished(job.folder, job.identity()):
        return job.folder
    _package_versions()  # complain before the training, not after it
    partial = job.folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with interrupt_on_termination():
            _run(job, partial, timeout_seconds, on_line or (lambda line: None))
            put_in_place(partial, job.folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(job.folder.with_suffix(".failed"), ignore_errors=True)
    return job.folder


def data_environment(build_dir: Path, data_root: Path) -> dict[str, str]:
    """`DATA_PATH` and `TOKENIZER_PATH` for the build's recipe below `data_root`, unless they are exported already.

    They are relative to the build folder, so that no log of a submission names somebody's home folder.
    """
    folder = _script(build_dir).parent
    data = load_recipe(folder / RECIPE_NAME).data
    root = Path(os.path.relpath(data_root.resolve(), folder))
    paths = {
        "DATA_PATH": dataset_folder(root, data.dataset),
        "TOKENIZER_PATH": tokenizer_path(root, data.tokenizer),
    }
    return {name: str(path) for name, path in paths.items() if name not in os.environ}


def is_finished(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether a run folder holds a finished run whose `run.json` agrees with every item of `identity`."""
    try:
        found = json.loads((folder / LAUNCH_NAME).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and identity.items() <= found.items()


def own_error(lines: Iterable[str]) -> str:
    """The script's own last line out of the output of a failed torchrun, which adds a long report of its own."""
    last = "it printed nothing"
    for line in lines:
        if not _TORCHRUN_LINE.match(line):
            last = re.sub(r"^\[rank\d+\]:\s*", "", line.strip()) or last
        elif failure := re.search(r"failed \(exitcode: (-?\d+)\)", line):
            signal = -int(failure[1])
            return f"signal {signal} killed it (9: often no memory left) after: {last}" if signal > 0 else last
    return last


def _script(build_dir: Path) -> Path:
    script = build_dir.resolve() / SCRIPT_NAME
    if not script.is_file():
        raise GolfError(f"{build_dir}: expected a build with {SCRIPT_NAME}, found none; make one with `golf build`")
    return script


def _package_versions() -> dict[str, str]:
    try:
        return {name: metadata.version(name).partition("+")[0] for name in PACKAGES}
    except metadata.PackageNotFoundError as error:
        raise GolfError(f"{error.name}: training needs it and it is not installed; pip install '.[train]'") from None


def _overrides(env: dict[str, str]) -> dict[str, str]:
    for name in env:
        hint = did_you_mean(name, OVERRIDES, cutoff=0.8)
        if name in OURS:
            raise GolfError(f"{name}: expected a variable that the launch leaves free, found one that it sets itself")
        if hint and name not in OVERRIDES:
            raise GolfError(f"{name}: expected a variable that the script knows{hint}")
    exported = {name: os.environ[name] for name in OVERRIDES if name in os.environ}
    return {name: os.path.abspath(value) if "PATH" in name else value for name, value in exported.items()} | env


def _run(job: _Job, partial: Path, timeout_seconds: float | None, on_line: Callable[[str], None]) -> None:
    """Run torchrun to its end in `partial`, which then holds a finished run or has been moved to `.failed`."""
    lines: list[str] = []
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *job.arguments],
        cwd=job.script.parent,
        env=job.environment(f"{RUNS_NAME}/{partial.name}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process, ending(process, timeout_seconds) as timed_out:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            on_line(lines[-1])
    outcome = {
        "seconds": round(time.monotonic() - start, 1),
        "exit_code": process.returncode,
        "packages": _package_versions(),
        "hardware": next((line.removeprefix("hardware: ") for line in lines if line.startswith("hardware: ")), ""),
    }
    (partial / LAUNCH_NAME).write_text(json.dumps(job.identity() | outcome, indent=2) + "\n")
    if process.returncode == 0 and not timed_out.is_set():
        return
    (partial / OUTPUT_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    failed = job.folder.with_suffix(".failed")
    put_in_place(partial, failed)
    reason = f"it took more than {timeout_seconds:g} s" if timed_out.is_set() else own_error(lines)
    raise GolfError(f"seed {job.seed} failed: {reason} (all output: {failed / OUTPUT_NAME})")
