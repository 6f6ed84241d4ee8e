"""Proof by running: a recipe's modules, readable script and packed script compute the same bits.

A recipe of the competition needs eight GPUs, so what runs is its `miniature`: the same program with small
numbers, on invented text, for a few CPU steps. Compared are all losses and scores to the last bit, names and bits of
every state dict, the artifact's bytes, and what the logs say apart from times, file names and the script's own size.

Not covered: what only CUDA runs (FlashAttention-3, compilation, bfloat16), and several ranks.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.bundle.build import make_program
from toolkit.bundle.pack.pack import pack
from toolkit.bundle.proof.miniature import same_up_to_constants, scaled_down
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME
from toolkit.recipe import dump_recipe

STEPS = 3
FORMS = ("modules", "readable", "packed")
_RUN_SECONDS = 300
# Differs between forms or from run to run.
_VOLATILE = re.compile(
    r"_time\w*: ?.*| in [\d.]+s$|sha256: .*|(?:Code size|Total submission size.*|peak memory.*|run_dir): .*"
)


@dataclass(frozen=True)
class Verified:
    """What all three forms agree on."""

    steps: int
    numbers: int  # losses, scores and the like
    tensors: int  # in the state dict of the decoded artifact
    artifact_bytes: int


def verify(cfg: Config, encoding: str = "base85") -> Verified:
    """Raise `GolfError` with the first difference between the forms of a recipe's miniature."""
    import torch  # noqa: F401 - the forms need it; missing, it is missed before anything takes time

    miniature = scaled_down(cfg)
    program, small = make_program(cfg), make_program(miniature)
    if not same_up_to_constants(program.readable, small.readable):
        raise GolfError(
            f"{cfg.name}: expected a miniature that is the same program up to numbers, found a different program"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = {"readable": small.readable.encode(), "packed": pack(small.text, encoding)}
        for form, script in scripts.items():
            (folder / f"{form}.py").write_bytes(script)
        (folder / f"{cfg.name}.toml").write_text(dump_recipe(miniature))
        write_data(miniature, folder)
        return compare(dict(zip(FORMS, run_forms(cfg.name, folder), strict=True)))


def write_data(cfg: Config, folder: Path) -> None:
    """Invented sentences of a small lexicon as shards, and the tokenizer of a miniature, below `folder`."""
    import sentencepiece as spm

    from toolkit.data.shards import token_stream, write_shards
    from toolkit.data.tokenizer import train_tokenizer

    generator = random.Random(0)
    lexicon = ["".join(generator.choices("aeiklmnorst", k=generator.randint(2, 6))) for _ in range(40)]
    documents = [" ".join(generator.choices(lexicon, k=generator.randint(5, 60))) + " é\n" for _ in range(100)]
    model = train_tokenizer(documents, cfg.model.vocab_size)
    (folder / "data").mkdir()
    (folder / cfg.data.tokenizer).write_bytes(model)
    tokenizer = spm.SentencePieceProcessor(model_proto=model)
    write_shards(folder / "data", "val", token_stream(tokenizer, documents[:3]), 1_000_000)
    write_shards(folder / "data", "train", token_stream(tokenizer, documents[3:]), 5_000)


def run_forms(name: str, folder: Path) -> list[dict[str, Any]]:
    """Run the three forms side by side; what each computed."""
    tasks = [["modules", f"{name}.toml", "packed.py"], ["script", "readable.py"], ["script", "packed.py"]]
    base = clean_environment() | run_settings(folder, STEPS)
    processes = []
    try:
        for form, task in zip(FORMS, tasks, strict=True):
            command = [sys.executable, "-m", "toolkit.bundle.proof.trial", f"{form}.json", *task]
            environment = {**base, "RUN_DIR": form}
            processes.append(
                subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
            )
        return [_outcome(form, folder, process) for form, process in zip(FORMS, processes, strict=True)]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


def run_settings(folder: Path, steps: int) -> dict[str, str]:
    """Environment variables of a short run on the CPU in a folder of `write_data`, without a clock."""
    (tokenizer,) = folder.glob("*.model")
    return {
        "DATA_PATH": "data",
        "TOKENIZER_PATH": tokenizer.name,
        "ITERATIONS": str(steps),
        "MAX_WALLCLOCK_SECONDS": "0",
        "SEED": "42",
        "RUN_ID": "trial",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def clean_environment() -> dict[str, str]:
    """The environment of this process without what a script would read of it, and with its import path."""
    ours = {"EVAL_ONLY", "ARTIFACT_PATH", "RUN_DIR", "RANK", "WORLD_SIZE", "LOCAL_RANK"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _outcome(form: str, folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        _, errors = process.communicate(timeout=_RUN_SECONDS)
    except subprocess.TimeoutExpired:
        raise GolfError(f"{form}: expected {STEPS} steps within {_RUN_SECONDS} s, found it still running") from None
    if process.returncode:
        last = errors.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise GolfError(f"{form}: expected a run of {STEPS} steps, found: {last[0]}")
    facts: dict[str, Any] = json.loads((folder / f"{form}.json").read_text())
    log = (folder / form / "train_trial.log").read_text()
    lines = [_VOLATILE.sub("", line) for line in log.splitlines()]
    facts["log"] = [line.replace(f"{form}/", "") for line in lines]
    facts["artifact"] = (folder / form / ARTIFACT_NAME).read_bytes()
    return facts


def compare(outcomes: dict[str, dict[str, Any]]) -> Verified:
    """Raise `GolfError` at the first fact in which two forms differ."""
    reference_form, *others = outcomes
    reference = outcomes[reference_form]
    for form in others:
        for key, expected in reference.items():
            found = outcomes[form][key]
            if found != expected:
                where = next((i for i, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]), 0)
                shown = [repr(items[where : where + 1])[:200] for items in (expected, found)]
                raise GolfError(
                    f"{key}: expected the same bits from {reference_form} and {form}, "
                    f"found {len(expected)} and {len(found)} items, which differ at {where}: {shown[0]} and {shown[1]}"
                )
    numbers, states = reference["numbers"], reference["states"]
    if len(numbers) < STEPS or not states:
        raise GolfError(
            f"trial: expected {STEPS} losses and a decoded artifact, found {len(numbers)} and {len(states)}"
        )
    return Verified(STEPS, len(numbers), len(states[-1][0]), len(reference["artifact"]))
