"""The folders that the toolkit writes and reads: what lies in them under which name, and how it is put there.

    build/demo/                  a build: scripts, recipe.toml, bundle.json; probe.json once it is probed
    build/demo/runs/seed42/      a run of it: train_seed42.log, final_model.ptz, run.json; proof.json and proof.bin
    records/track_.../DATE_Name/ a record: README.md, submission.json, requirements.txt, scripts, a log for each seed
    data/                        datasets/<dataset>/fineweb_{train,val}_*.bin, tokenizers/<tokenizer>

Lowest layer: imports nothing of ours. Components become scripts that stand alone, so they name their artifact, log and
data themselves and write with their own function; tests hold both to the same names.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

BUILDS_DIR, RECORDS_DIR, DATA_DIR = Path("build"), Path("records"), Path("data")  # where they lie unless told otherwise

SCRIPT_NAME, READABLE_NAME, RECIPE_NAME = "train_gpt.py", "train_gpt_readable.py", "recipe.toml"
BUNDLE_NAME = "bundle.json"  # facts of a build; written last
PROBES_NAME = "probe.json"
RUNS_NAME = "runs"

ARTIFACT_NAME = "final_model.ptz"
LAUNCH_NAME = "run.json"  # how a run was launched and how it ended
OUTPUT_NAME = "output.txt"  # of a failed run
PROOF_NAME, PROOF_CODE_NAME = "proof.json", "proof.bin"

README_NAME, SUBMISSION_NAME, REQUIREMENTS_NAME = "README.md", "submission.json", "requirements.txt"
TRACK_PREFIX = "track_"  # of the folders that records lie in


def run_id(seed: int) -> str:
    """Name of a run's folder, and of the run inside its script."""
    return f"seed{seed}"


def seed_of(run: Path) -> int | None:
    """The seed that a run's folder is named after; None for a folder of another name, such as that of a failed run."""
    match = re.fullmatch(r"seed(\d+)", run.name)
    return int(match[1]) if match else None


def run_folder(build: Path, seed: int) -> Path:
    """Where the run of a seed lies in its build."""
    return build / RUNS_NAME / run_id(seed)


def build_of(run: Path) -> Path:
    """The build that a run lies in."""
    return run.parent.parent


def log_name(seed: int) -> str:
    """Log of a run, in its folder and in records."""
    return f"train_{run_id(seed)}.log"


def record_folder(track: str, date: str, title: str) -> Path:
    """Where a record goes below the folder of all records. There is one folder for all tracks but the first."""
    kind = "10min_16mb" if track == "10min_16mb" else "non_record_16mb"
    return Path(TRACK_PREFIX + kind, "_".join([date, *re.findall(r"[\w.-]+", title, re.ASCII)]))


def pull_request_path(record: Path) -> Path:
    """The text of a record's pull request. It lies beside the folder: a pull request adds that folder alone."""
    return record.with_name(f"{record.name}.pr.md")


def dataset_folder(data: Path, dataset: str) -> Path:
    """Shards of a data set."""
    return data / "datasets" / dataset


def tokenizer_path(data: Path, tokenizer: str) -> Path:
    """File of a tokenizer."""
    return data / "tokenizers" / tokenizer


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file in one step: whatever happens, there is all of the old file or all of the new. Text as UTF-8."""
    write_files({path: data})


def write_files(files: Mapping[Path, bytes | str]) -> None:
    """Write several files, each in one step, in their order, and none before all have been written aside.

    A file that was there keeps its mode. The data reach the disk before the name does: a rename that overtakes them
    would leave an empty file after a power cut.
    """
    asides = {path: path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial") for path in files}
    try:
        for path, data in files.items():
            with asides[path].open("xb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileNotFoundError):
                asides[path].chmod(stat.S_IMODE(path.stat().st_mode))
        for path, aside in asides.items():
            os.replace(aside, path)
    finally:
        for aside in asides.values():
            aside.unlink(missing_ok=True)


def put_in_place(source: Path, target: Path) -> None:
    """Rename a file or a folder over another on the same file system; at every moment one of the two is whole.

    No rename replaces a folder that holds files: the old one steps aside first, and comes back if the new one fails.
    """
    if not target.is_dir():
        os.replace(source, target)
        return
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
    try:
        os.rename(target, aside / target.name)
        os.rename(source, target)
    except BaseException:
        with contextlib.suppress(OSError):  # where either is in place already
            os.rename(aside / target.name, target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
