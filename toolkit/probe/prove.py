"""The codec proof: validation text, compressed to what a build's score claims and decompressed by its artifact.

    build/demo/runs/seed42/final_model.ptz  ->  build/demo/runs/seed42/{proof.json, proof.bin}

Three processes, in the sandbox where there is one, each with one thread and nothing but what is named in its command:
the encoder turns a slice into `proof.bin`, the script scores the slice, the decoder turns the file into it again.
The decoder has the recipe, the artifact, the tokenizer and this toolkit's code; that is the script's own code, since a
build is refused unless the toolkit packs its recipe into just that script. It has not seen the text.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.bundle import bundle
from toolkit.components.text.byte_tables import byte_tables, count_target_bytes, load_tokenizer
from toolkit.components.text.shards import find_shards, read_tokens
from toolkit.data.shards import write_shard
from toolkit.errors import GolfError
from toolkit.folders import (
    ARTIFACT_NAME,
    PROOF_CODE_NAME,
    PROOF_NAME,
    RECIPE_NAME,
    RUNS_NAME,
    SCRIPT_NAME,
    run_id,
    seed_of,
    sha256_of,
    write_files,
)
from toolkit.probe.evaluation import label_stages, require_stage
from toolkit.record.proof import read_proof
from toolkit.record.runs import Build, read_build
from toolkit.run.launch import data_environment
from toolkit.run.runlog import read_runs
from toolkit.run.sandbox import Limits, Outcome, Sandbox, find_sandbox

_TOLERANCE, _SLACK_BYTES = 0.001, 64  # of the claim; the range coder's end, the head of the file
_LIMITS = Limits(memory_bytes=8 << 30, seconds=3600, processes=256)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
_COMMANDS = {
    "score": "python {script}",
    "encode": "python -m toolkit.probe.codec encode {recipe} {stage} {artifact} {tokenizer} {shard} " + PROOF_CODE_NAME,
    "decode": "python -m toolkit.probe.codec decode {recipe} {stage} {artifact} {tokenizer} {code} decoded.bin",
}
_SCORE_ENV = {"EVAL_ONLY": "1", "DATA_PATH": "{shards}", "TOKENIZER_PATH": "{tokenizer}", "ARTIFACT_PATH": "{artifact}"}
_PACKAGES = ("torch", "numpy", "constriction")


@dataclass(frozen=True)
class _Case:
    """What is to be proven: a run, a stage, and the files it takes."""

    build: Build
    run: Path
    stage: str
    artifact: Path
    tokenizer: Path
    data_path: Path

    def slice(self, num_bytes: int) -> tuple[np.ndarray, int]:
        """The start of the validation stream, uint16[n], and its bytes of text: at least `num_bytes`."""
        vocab_size = self.build.cfg.model.vocab_size
        tables = byte_tables(load_tokenizer(self.tokenizer, vocab_size))
        tokens = read_tokens(find_shards(self.data_path, "val"), vocab_size)[: 2 * num_bytes + 2]
        ends = count_target_bytes(tables, tokens).cumsum()
        if num_bytes > ends[-1]:
            raise GolfError(f"--bytes: expected at most the {ends[-1]} bytes of {self.data_path}, found {num_bytes}")
        last = int(np.searchsorted(ends, num_bytes))
        return tokens[: last + 2], int(ends[last])

    def digests(self) -> dict[str, str]:
        files = {path.name: path for path in (self.build.folder / SCRIPT_NAME, self.artifact, self.tokenizer)}
        return {name: sha256_of(path) for name, path in files.items()}


def prove(
    build: Path,
    num_bytes: int,
    seed: int | None,
    stage: str | None,
    data_root: Path,
    show: Callable[[str], None] = lambda action: None,  # told what begins
) -> dict[str, Any]:
    """Encode, score, decode and compare; returns the content of the `proof.json` that it writes beside the artifact.

    `build` is a build folder with runs, `seed` one of them (default: the lowest), `stage` one of the recipe's (default:
    the last, which is its score). `GolfError` where text or length differ, and nothing is written.
    """
    packages = {name: metadata.version(name) for name in _PACKAGES}  # complain before the work
    case = _case(build, seed, stage, data_root)
    place = _Place(show)
    with tempfile.TemporaryDirectory(prefix="golf-prove-") as folder:
        work = Path(folder)
        tokens, text_bytes = case.slice(num_bytes)
        shard = work / "shards" / "fineweb_val_000000.bin"
        shard.parent.mkdir()
        write_shard(shard, tokens)
        nats = json.loads(place.codec("encode", case, work, shard=shard).stdout)["nats"]
        claimed_bpb = _claim(place, case, work, shard)
        code = work / "encode" / PROOF_CODE_NAME
        _decode(place, case, work, shard, code)
        proof = {
            "schema_version": 1,
            "recipe": case.build.cfg.name,
            "run": case.run.name,
            "stage": case.stage,
            "targets": len(tokens) - 1,
            "text_bytes": text_bytes,
            "claimed_val_bpb": claimed_bpb,
            "claimed_bytes": round(claimed_bpb * text_bytes / 8, 1),
            "step_val_bpb": round(nats / math.log(2) / text_bytes, 8),
            "code_bytes": code.stat().st_size,
            "code_val_bpb": round(8 * code.stat().st_size / text_bytes, 8),
            "decoded_equal": True,
            "sha256": case.digests() | {"slice": sha256_of(shard), PROOF_CODE_NAME: sha256_of(code)},
            "commands": _COMMANDS,
            "environment": _ONE_THREAD,
            "sandbox": place.kind,
            "packages": packages,
            "seconds": place.seconds,
        }
        _require_length(proof)
        text = json.dumps(proof, indent=2) + "\n"
        write_files({case.run / PROOF_CODE_NAME: code.read_bytes(), case.run / PROOF_NAME: text})
    return proof


def prove_again(
    build: Path, seed: int | None, data_root: Path, show: Callable[[str], None] = lambda action: None
) -> dict[str, Any]:
    """Decode the code file of an earlier proof and compare it with the text; returns what `proof.json` says.

    `GolfError` where a file has changed since, cannot be decoded, or is decoded to something else.
    """
    run = _find_run(build, seed)
    proof = read_proof(run)
    case = _case(build, seed_of(run), proof["stage"], data_root)
    with tempfile.TemporaryDirectory(prefix="golf-prove-") as folder:
        shard = Path(folder) / "slice.bin"
        write_shard(shard, case.slice(proof["text_bytes"])[0])
        _decode(_Place(show), case, Path(folder), shard, run / PROOF_CODE_NAME)
        found = case.digests() | {"slice": sha256_of(shard), PROOF_CODE_NAME: sha256_of(run / PROOF_CODE_NAME)}
    for name, digest in found.items():
        if proof["sha256"].get(name) != digest:
            raise GolfError(
                f"{run / PROOF_NAME}: expected {name} with sha256 {proof['sha256'].get(name)}, found {digest}; "
                "prove it again"
            )
    _require_length(proof | {"code_bytes": (run / PROOF_CODE_NAME).stat().st_size})
    return proof


def _case(build: Path, seed: int | None, stage: str | None, data_root: Path) -> _Case:
    run = _find_run(build, seed)
    found = read_build(build.resolve())
    stage = stage or found.cfg.evaluate.stages[-1]
    require_stage(found.cfg, stage)
    script = (found.folder / SCRIPT_NAME).read_bytes()
    if script != bundle(found.cfg, "base85" if script.isascii() else "latin1").packed:
        raise GolfError(
            f"{found.folder / SCRIPT_NAME}: expected what this toolkit makes of {RECIPE_NAME}, "
            "found a different script; build and train it again, or use the toolkit that built it"
        )
    env = dict(os.environ) | data_environment(found.folder, data_root)
    data_path, tokenizer = (found.folder / env[name] for name in ("DATA_PATH", "TOKENIZER_PATH"))
    return _Case(found, run, stage, run / ARTIFACT_NAME, tokenizer.resolve(), data_path.resolve())


def _find_run(build: Path, seed: int | None) -> Path:
    folders = [path.parent for path in (build.resolve() / RUNS_NAME).glob(f"*/{ARTIFACT_NAME}")]
    runs = {found: run for run in folders if (found := seed_of(run)) is not None and seed in (None, found)}
    if not runs:
        wanted = "a finished run" if seed is None else f"a finished run {run_id(seed)}"
        raise GolfError(f"{build}: expected {wanted}, found none; `golf train` makes it")
    return runs[min(runs)]


def _claim(place: "_Place", case: _Case, work: Path, shard: Path) -> float:
    """Bits a byte that the script itself prints for the slice."""
    inputs = {"script": case.build.folder / SCRIPT_NAME, "shards": shard.parent}
    place.run("score", case, work, inputs, _SCORE_ENV)
    (log_path,) = (work / "score").glob("eval_*.log")
    scores = {score.key: score.val_bpb for log in read_runs(log_path) for score in log.scores}
    try:
        stages = label_stages(case.build.cfg, scores)
    except ValueError:
        expected = ", ".join(case.build.cfg.evaluate.stages)
        raise GolfError(f"{log_path.name}: expected scores of {expected}, found {', '.join(scores)}") from None
    return next(scores[label] for label, stage in stages.items() if stage == case.stage)


def _decode(place: "_Place", case: _Case, work: Path, shard: Path, code: Path) -> None:
    """Decode and compare byte for byte."""
    place.codec("decode", case, work, code=code)
    expected, found = shard.read_bytes(), (work / "decode" / "decoded.bin").read_bytes()
    if expected != found:
        at = next((i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), len(found))
        raise GolfError(
            f"decoded text: expected the {len(expected)} bytes that were encoded, found a difference at byte {at}"
        )


def _require_length(proof: dict[str, Any]) -> None:
    claimed, found = proof["claimed_bytes"], proof["code_bytes"]
    if abs(found - claimed) > _TOLERANCE * claimed + _SLACK_BYTES:
        raise GolfError(
            f"code file: expected the {claimed:.0f} bytes that {proof['claimed_val_bpb']} bits per byte claim, to "
            f"{100 * _TOLERANCE:g} % and {_SLACK_BYTES} bytes, found {found}: no decoder can live on that score"
        )


class _Place:
    """Where the commands run: the sandbox, or plain processes where none works."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self.sandbox: Sandbox | None = None
        self.seconds: dict[str, float] = {}
        try:
            self.sandbox = find_sandbox()
            self.kind = self.sandbox.kind
        except GolfError as error:
            self.kind = f"none: {error}"

    def codec(self, action: str, case: _Case, work: Path, **inputs: Path) -> Outcome:
        inputs["toolkit"] = Path(__file__).resolve().parents[1]
        return self.run(action, case, work, inputs, {"PYTHONPATH": "{toolkit}/.."})

    def run(self, action: str, case: _Case, work: Path, inputs: dict[str, Path], env: dict[str, str]) -> Outcome:
        """Run a command of `_COMMANDS` in the folder `work`/`action`; `GolfError` unless it succeeds."""
        inputs = inputs | {
            "recipe": case.build.folder / RECIPE_NAME,
            "artifact": case.artifact,
            "tokenizer": case.tokenizer,
        }
        inside = {path: Path("/given", name, path.name) if self.sandbox else path for name, path in inputs.items()}
        words = {name: str(inside[path]) for name, path in inputs.items()} | {"stage": case.stage}
        command = [sys.executable, *(word.format(**words) for word in _COMMANDS[action].split()[1:])]
        env = _ONE_THREAD | {name: value.format(**words) for name, value in env.items()}
        folder = work / action
        folder.mkdir()
        self.show(action)
        started = time.perf_counter()
        if self.sandbox:
            outcome = self.sandbox.run(command, inside, folder, env, _LIMITS)
        else:
            done = subprocess.run(command, cwd=folder, env=dict(os.environ) | env, capture_output=True, text=True)
            outcome = Outcome(done.returncode, done.stdout, done.stderr, "", ())
        self.seconds[action] = round(time.perf_counter() - started, 1)
        if outcome.stopped or outcome.exit_code:
            last = (outcome.stderr.strip().splitlines() or [f"exit code {outcome.exit_code}"])[-1]
            raise GolfError(f"{action}: {f'stopped for its {outcome.stopped}' if outcome.stopped else last}")
        return outcome
