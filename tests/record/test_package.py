"""Packaging: what a record holds, where its numbers come from, and what is refused without leaving a trace."""

import hashlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.log import bits_per_byte, final_nats
from toolkit.check import check_path
from toolkit.check.evidence.probes import NAMES
from toolkit.errors import GolfError
from toolkit.record.package import RefusedRecord, find_record, package
from toolkit.record.texts import render_requirements

FILES = [
    "README.md",
    "recipe.toml",
    "requirements.txt",
    "submission.json",
    "train_gpt.py",
    "train_gpt_readable.py",
    "train_seed1337.log",
    "train_seed2025.log",
    "train_seed42.log",
]


def pack(runs: list[Path], **options: Any) -> Path:
    details: dict[str, Any] = {"author": "A. Person", "github_id": "a-person", "date": "2026-05-02"}
    details |= {"allow_unknown": True} | options
    return package(runs, records_dir=runs[0].parents[3] / "records", **details)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def untouched(stand_in_runs: list[Path]) -> Iterator[Path]:
    """Asserts at the end that no record was written and nothing else was left behind."""
    root = stand_in_runs[0].parents[3]
    yield root
    assert sorted(path.name for path in root.iterdir()) == ["build"]


def test_record_holds_what_a_pull_request_needs(stand_in_runs: list[Path]) -> None:
    record = pack(stand_in_runs)
    track = stand_in_runs[0].parents[3] / "records" / "track_non_record_16mb"
    assert record == track / "2026-05-02_Demo"
    assert sorted(path.name for path in record.iterdir()) == FILES
    assert sorted(path.name for path in track.iterdir()) == ["2026-05-02_Demo", "2026-05-02_Demo.pr.md"]
    assert sorted(path.name for path in track.parents[1].iterdir()) == ["build", "records"]
    build = stand_in_runs[0].parents[1]
    for name in ("train_gpt.py", "train_gpt_readable.py", "recipe.toml"):
        assert (record / name).read_bytes() == (build / name).read_bytes()


def test_every_number_follows_from_logs_and_files(stand_in_runs: list[Path]) -> None:
    record = pack(stand_in_runs, blurb="Ünïcode | and pipes")
    submission = json.loads((record / "submission.json").read_text(encoding="utf-8"))
    code_bytes = (record / "train_gpt.py").stat().st_size
    losses = {seed: round(final_nats(seed), 8) for seed in (42, 1337, 2025)}
    bpb = {seed: round(bits_per_byte(loss), 8) for seed, loss in losses.items()}
    assert submission["val_loss"] == pytest.approx(statistics.fmean(losses.values()), abs=2e-8)
    assert submission["val_bpb"] == pytest.approx(statistics.fmean(bpb.values()), abs=2e-8)
    assert submission["val_bpb_std"] == pytest.approx(statistics.stdev(bpb.values()), abs=2e-8)
    assert submission["val_loss_std"] == pytest.approx(statistics.stdev(losses.values()), abs=2e-8)
    assert submission["bytes_code"] == code_bytes
    assert submission["bytes_model_compressed"] == 1_000_000 + 2025
    assert submission["bytes_total"] == code_bytes + 1_000_000 + 2025
    assert submission["seeds"] == [42, 1337, 2025]
    assert submission["seed_results"]["42"] == {
        "val_bpb": bpb[42],
        "val_loss": pytest.approx(losses[42]),
        "artifact_bytes": code_bytes + 1_000_000 + 42,
        "steps": 812,
        "train_time_s": 59.112,
        "eval_time_s": 4.5,
    }
    assert submission["track"] == "non-record-16mb"
    assert submission["hardware"] == "a stand-in with 2 threads"
    readme = (record / "README.md").read_text(encoding="utf-8")
    assert f"{16_000_000 - submission['bytes_total']:,}" in readme
    assert f"| 1337 | {code_bytes:,} | 1,001,337 |" in readme
    assert "Ünïcode | and pipes" in readme
    assert "{{" not in readme


def test_readme_submission_and_checker_tell_the_same_seconds_and_bytes(stand_in_runs: list[Path]) -> None:
    """The stand-in's clock stops at 57.0 s and reads 59.1 s after calibration; its last pass took 1.5 s of 4.5 s."""
    record = pack(stand_in_runs)
    checked = {entry["seed"]: entry for entry in check_path(record).facts["seeds"]}
    submission = json.loads((record / "submission.json").read_text(encoding="utf-8"))
    lines = (record / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    header = next(row for row in rows if row[0] == "seed")
    for seed in (42, 1337, 2025):
        told = dict(zip(header, next(row for row in rows if row[0] == str(seed)), strict=True))
        claimed, found = submission["seed_results"][str(seed)], checked[seed]
        assert claimed["train_time_s"] == found["train_seconds"] == 59.112
        assert claimed["eval_time_s"] == found["eval_seconds"] == 4.5
        assert claimed["artifact_bytes"] == found["artifact_bytes"]
        assert (told["train s"], told["eval s"], told["total"]) == ("59.1", "4.5", f"{found['artifact_bytes']:,}")


def test_one_seed_has_no_deviation(stand_in_runs: list[Path]) -> None:
    record = pack(stand_in_runs[:1])
    submission = json.loads((record / "submission.json").read_text())
    assert submission["val_bpb_std"] is None
    assert submission["seeds"] == [42]
    assert "with one seed" in (record / "README.md").read_text()


def test_a_packaged_script_runs_inside_its_folder(stand_in_runs: list[Path], tmp_path: Path) -> None:
    record = pack(stand_in_runs)
    environment = {"SEED": "5", "RUN_ID": "again", "RUN_DIR": str(tmp_path / "again")}
    subprocess.run([sys.executable, "train_gpt.py"], cwd=record, env=environment, check=True, capture_output=True)
    assert (tmp_path / "again" / "train_again.log").is_file()


def test_a_second_record_of_the_same_name_is_refused_and_found(stand_in_runs: list[Path]) -> None:
    records = stand_in_runs[0].parents[3] / "records"
    assert find_record(stand_in_runs, records) is None
    record = pack(stand_in_runs)
    before = {path: path.read_bytes() for path in record.iterdir()}
    with pytest.raises(GolfError, match="expected no such folder yet, found one"):
        pack(stand_in_runs)
    assert {path: path.read_bytes() for path in record.iterdir()} == before
    (record.parent / "2026-01-01_Broken").mkdir()
    (record.parent / "2026-01-01_Broken" / "submission.json").write_text("{")
    assert find_record(stand_in_runs, records) == record
    assert find_record(stand_in_runs[:2], records) is None


def test_failing_check_writes_nothing(stand_in_runs: list[Path], untouched: Path) -> None:
    log = stand_in_runs[1] / "train_seed1337.log"
    edit(log, "train_time: 57012ms", "train_time: 600400ms")
    edit(log, "train_time_with_calibration: 59112ms", "train_time_with_calibration: 603400ms")
    with pytest.raises(RefusedRecord, match="TRAIN-600") as caught:
        pack(stand_in_runs)
    assert caught.value.report.verdict == "FAIL"


def same_seed_twice(runs: list[Path]) -> list[Path]:
    return [runs[0], runs[0]]


def other_overrides(runs: list[Path]) -> list[Path]:
    edit(runs[1] / "run.json", '"environment": {}', '"environment": {"ITERATIONS": "5"}')
    return runs


def rebuilt_script(runs: list[Path]) -> list[Path]:
    with (runs[0].parents[1] / "train_gpt.py").open("a") as file:
        file.write("# one more line\n")
    return runs


def another_build(runs: list[Path]) -> list[Path]:
    other = runs[0].parents[2] / "other"
    shutil.copytree(runs[0].parents[1], other)
    edit(other / "train_gpt.py", "1e6", "1e5")
    return [other / "runs" / "seed42", *runs[1:]]


def failed_run(runs: list[Path]) -> list[Path]:
    edit(runs[2] / "run.json", '"exit_code": 0', '"exit_code": 1')
    return runs


def foreign_run(runs: list[Path]) -> list[Path]:
    (runs[2] / "run.json").write_text("[1, 2]")
    return runs


def cut_artifact(runs: list[Path]) -> list[Path]:
    (runs[2] / "final_model.ptz").write_bytes(b"short")
    return runs


def cut_log(runs: list[Path]) -> list[Path]:
    edit(runs[2] / "train_seed2025.log", "total_eval_time:4.5s", "")
    return runs


def empty_log(runs: list[Path]) -> list[Path]:
    (runs[2] / "train_seed2025.log").write_text("")
    return runs


def binary_log(runs: list[Path]) -> list[Path]:
    (runs[2] / "train_seed2025.log").write_bytes(bytes(range(256)) * 9)
    return runs


def no_log(runs: list[Path]) -> list[Path]:
    (runs[2] / "train_seed2025.log").unlink()
    return runs


def no_run(runs: list[Path]) -> list[Path]:
    return [runs[0].parents[1]]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (same_seed_twice, "seed 42: expected distinct seeds"),
        (other_overrides, "expected the configuration of seed 42"),
        (rebuilt_script, "found the log of a different script"),
        (another_build, "found the log of a different script"),
        (failed_run, "expected a finished run, found exit code 1"),
        (foreign_run, "expected a run folder with run.json"),
        (cut_artifact, "expected 1002025 bytes as logged, found 5"),
        (cut_log, "total_eval_time"),
        (empty_log, "empty file"),
        (binary_log, "binary data"),
        (no_log, "expected train_seed2025.log"),
        (no_run, "expected a run folder with run.json"),
    ],
)
def test_runs_that_do_not_belong_together(
    stand_in_runs: list[Path], untouched: Path, spoil: Callable[[list[Path]], list[Path]], expected: str
) -> None:
    with pytest.raises(GolfError, match=expected) as caught:
        pack(spoil(stand_in_runs))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"author": " "}, "author: expected one line"),
        ({"github_id": "a b"}, "github_id: expected"),
        ({"date": "2026-5-2"}, "date: expected YYYY-MM-DD"),
        ({"name": "two\nlines"}, "name: expected one line"),
    ],
)
def test_details_that_make_no_submission(
    stand_in_runs: list[Path], untouched: Path, options: dict[str, str], expected: str
) -> None:
    with pytest.raises(GolfError, match=expected):
        pack(stand_in_runs, **options)


def test_failing_writes_leave_nothing(stand_in_runs: list[Path], untouched: Path) -> None:
    """A limit on the size of files stands for a disk that fills up in the middle of a copy."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            pack(stand_in_runs)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)


def test_requirements_are_the_imports_at_the_top(tmp_path: Path) -> None:
    script = "import os, numpy as np\nimport torch.nn as nn\nfrom torch import Tensor\n\ndef f():\n    import flash\n"
    assert render_requirements(script, {"torch": "2.13.0"}) == "numpy\ntorch==2.13.0\n"


def write_probes(build: Path, names: tuple[str, ...] = NAMES) -> None:
    """A file as `golf probe` leaves it, with a finding of each probe."""
    finding = {"rule": "C2-NORMALIZED", "outcome": "PASS", "where": "kraft probe", "expected": "1", "found": "1 | one"}
    digest = hashlib.sha256((build / "train_gpt.py").read_bytes()).hexdigest()
    probes = {name: {"command": "golf probe", "seconds": 1.0, "findings": [finding]} for name in names}
    (build / "probe.json").write_text(json.dumps({"bundle_sha256": digest, "probes": probes}))


def test_probes_go_with_the_record_and_into_its_readme(stand_in_runs: list[Path]) -> None:
    write_probes(stand_in_runs[0].parents[1])
    record = pack(stand_in_runs)
    assert (record / "probe.json").is_file()
    readme = (record / "README.md").read_text()
    assert readme.count("| C2-NORMALIZED | PASS | kraft probe | 1 \\| one |") == len(NAMES)


def test_probes_of_another_script_stay_behind(stand_in_runs: list[Path]) -> None:
    build = stand_in_runs[0].parents[1]
    write_probes(build)
    edit(build / "probe.json", '"bundle_sha256": "', '"bundle_sha256": "0')
    record = pack(stand_in_runs)
    assert sorted(path.name for path in record.iterdir()) == FILES
    assert "## Probes" not in (record / "README.md").read_text()


@pytest.mark.parametrize(
    ("names", "found"), [((), "kraft, causal, "), (NAMES[:-1], f"none of {NAMES[-1]};"), (NAMES, "")]
)
def test_the_record_track_asks_for_all_probes(names: tuple[str, ...], found: str, stand_in_runs: list[Path]) -> None:
    build = stand_in_runs[0].parents[1]
    for path in (build / "recipe.toml", build / "bundle.json", *build.glob("runs/*/*.log")):
        edit(path, "non-record-16mb", "10min_16mb")
    write_probes(build, names)
    with pytest.raises(RefusedRecord) as refused:
        pack(stand_in_runs, allow_unknown=False)
    missing = [finding for finding in refused.value.report.findings if finding.where == "probe.json"]
    assert [(finding.rule, finding.outcome) for finding in missing] == [("C2-NORMALIZED", "UNKNOWN")] * bool(found)
    assert all(found in finding.found and "run `golf probe " in finding.found for finding in missing)


def test_the_codec_proof_of_a_run_goes_with_the_record(stand_in_runs: list[Path]) -> None:
    run = stand_in_runs[1]
    (run / "proof.bin").write_bytes(b"code")
    files = [run / "proof.bin", run / "final_model.ptz", run.parents[1] / "train_gpt.py"]
    proof = {
        "schema_version": 1,
        "run": run.name,
        "stage": "sliding",
        "text_bytes": 20_000,
        "code_bytes": 5_000,
        "code_val_bpb": 2.0,
        "claimed_val_bpb": 1.99,
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }
    (run / "proof.json").write_text(json.dumps(proof))
    record = pack(stand_in_runs)
    assert json.loads((record / "proof.json").read_text()) == proof
    assert "5,000 bytes, 2.0000 bits per byte where the script claims 1.9900" in (record / "README.md").read_text()


def test_a_proof_of_another_artifact_stays_behind(stand_in_runs: list[Path]) -> None:
    run = stand_in_runs[0]
    digests = dict.fromkeys(("proof.bin", "final_model.ptz", "train_gpt.py"), "0" * 64)
    (run / "proof.bin").write_bytes(b"code")
    (run / "proof.json").write_text(json.dumps({"schema_version": 1, "sha256": digests}))
    assert sorted(path.name for path in pack(stand_in_runs).iterdir()) == FILES
