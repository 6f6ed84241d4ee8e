"""Logs into facts: both dialects, our own lines, and what a real log does to a naive parser."""

import json
from pathlib import Path

import pytest

from tests.support.log import log_text
from toolkit.errors import GolfError
from toolkit.run.runlog import RunLog, read_runs

SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
FACTS = ("seed", "val_bpb", "val_loss", "artifact_bytes", "train_seconds", "eval_seconds", "steps")

DIALECT_A = """\
val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path=./data/tokenizers/fineweb_1024_bpe.model
train_loader:dataset:fineweb10B_sp1024 train_shards:80
val_loader:shards pattern=./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin tokens:62021632
world_size:8 grad_accum_steps:1
train_batch_tokens:524288 train_seq_len:1024 iterations:20000 warmup_steps:20 max_wallclock_seconds:600.000
seed:1337
warmup_step:20/20
step:13700/20000 train_loss:2.0323 train_time:596577ms step_avg:43.55ms
step:13780/20000 val_loss:2.0606 val_bpb:1.2172 train_time:600038ms step_avg:43.54ms
stopping_early: wallclock_cap train_time:600038ms step:13780/20000
Serialized model: 67224983 bytes
Code size: 47642 bytes
Total submission size: 67272625 bytes
DIAGNOSTIC post_ema val_loss:1.0000 val_bpb:0.5000 eval_time:1960ms
Serialized model int8+zlib: 15815847 bytes (payload:17178912 raw_torch:17224025 payload_ratio:3.91x)
Total submission size int8+zlib: 15863489 bytes
final_int8_zlib_roundtrip val_loss:2.0727 val_bpb:1.2244 eval_time:1401ms
final_int8_zlib_roundtrip_exact val_loss:2.07269931 val_bpb:1.22436570
"""

OURS = log_text(42, "ab" * 32, code_bytes=12_345, model_bytes=600_000)


def read_one(folder: Path, text: str) -> RunLog:
    path = folder / "train.log"
    path.write_text(text, encoding="utf-8")
    (run,) = read_runs(path)
    return run


def test_dialect_a(tmp_path: Path) -> None:
    run = read_one(tmp_path, DIALECT_A)
    expected = (1337, 1.22436570, 2.07269931, 15863489, 600.038, 1.401, 13780)
    assert tuple(getattr(run, name) for name in FACTS) == expected
    assert (run.number("val_tokens"), run.number("world_size"), run.number("train_shards")) == (62021632, 8, 80)
    assert run.settings["tokenizer_path"].value.endswith("fineweb_1024_bpe.model")


def test_our_lines(tmp_path: Path) -> None:
    run = read_one(tmp_path, OURS)
    assert tuple(getattr(run, name) for name in FACTS) == (42, 1.71751897, 2.900042, 612345, 59.112, 4.5, 812)
    assert (run.code_bytes, run.model_bytes) == (12345, 600000)
    assert [score.key for score in run.scores][-1] == "final_int6_ppm_trie"
    assert run.number("bundle_sha256") == "ab" * 32
    assert run.settings["stages"].value == "('roundtrip', 'sliding', 'sliding+ppm_trie')"


def test_seconds_of_training_end_at_the_stop_or_after_calibration(tmp_path: Path) -> None:
    run = read_one(tmp_path, OURS)
    assert (run.stop_seconds, run.train_seconds) == (57.012, 59.112)
    assert run.clock == run.source("train_seconds") == run.facts["calibrated_ms"]
    plain = read_one(tmp_path, DIALECT_A)
    assert plain.stop_seconds == plain.train_seconds == 600.038
    late = DIALECT_A.replace("step:13700/20000 train_loss:2.0323 train_time:596577ms", "step:1/2 train_time:610000ms")
    run = read_one(tmp_path, late)
    assert (run.train_seconds, run.clock) == (600.038, run.facts["step_ms"])


@pytest.mark.parametrize(
    ("total", "seconds"), [("", 1.5), ("1.5s", 1.5), ("1.6s", 1.6), ("4.5s", 4.5), ("1.0s", 1.5), ("4.5s, in all", 1.5)]
)
def test_an_evaluation_takes_its_total_unless_that_is_its_last_pass_rounded(
    tmp_path: Path, total: str, seconds: float
) -> None:
    run = read_one(tmp_path, OURS.replace("total_eval_time:4.5s", f"total_eval_time:{total}" if total else ""))
    assert (run.headline_seconds, run.eval_seconds) == (1.5, seconds)


def test_a_measure_knows_the_line_it_is_read_from(tmp_path: Path) -> None:
    run = read_one(tmp_path, OURS)
    expected = {
        "val_bpb": "final_int6_ppm_trie",
        "eval_seconds": "total_eval_time",
        "steps": "stopping_early",
        "artifact_bytes": "Total submission size",
    }
    found = {measure: run.source(measure) for measure in expected}
    assert {name: fact and fact.text.startswith(expected[name]) for name, fact in found.items()} == dict.fromkeys(
        expected, True
    )
    assert run.source("val_tokens") is None


def test_our_last_line_is_the_headline_whatever_its_stage(tmp_path: Path) -> None:
    swapped = OURS.replace("final_int6_ppm_trie", "final_int6_roundtrip")
    assert read_one(tmp_path, swapped).val_bpb == 1.71751897


def test_a_fact_knows_its_line(tmp_path: Path) -> None:
    run = read_one(tmp_path, DIALECT_A)
    lines = DIALECT_A.splitlines()
    for fact in (*run.facts.values(), *run.settings.values(), *run.scores, run.validation):
        assert fact is not None
        assert lines[fact.line - 1] == fact.text


def test_embedded_source_is_not_evidence(tmp_path: Path) -> None:
    source = """\
seed:int=7
        log0(f"final_int6_sliding_window val_loss:{loss:.8f} val_bpb:{bpb:.8f} eval_time:{ms:.0f}ms")
log(f"seed:{h.seed}");log("Total submission size int6: 1 bytes")
final_x=f"final_ttt val_loss:{a} val_bpb:{b}"
    seed: 99
"""
    assert read_one(tmp_path, source + DIALECT_A + source).facts == read_one(tmp_path, source + DIALECT_A).facts
    run = read_one(tmp_path, source + DIALECT_A)
    assert (run.seed, run.val_bpb, run.artifact_bytes) == (1337, 1.22436570, 15863489)


def test_timestamps_are_stripped(tmp_path: Path) -> None:
    stamped = "".join(f"1776142360.538 {line}\n" for line in OURS.splitlines())
    run, plain = read_one(tmp_path, stamped), read_one(tmp_path, OURS)
    assert {name: fact.value for name, fact in run.facts.items()} == {n: f.value for n, f in plain.facts.items()}
    assert run.headline == plain.headline


def test_several_runs_in_one_file(tmp_path: Path) -> None:
    second = DIALECT_A.replace("seed:1337", "seed:7").replace("1.22436570", "1.23000000")
    header = "".join(DIALECT_A.splitlines(keepends=True)[:7])  # a run that died while warming up
    path = tmp_path / "train.log"
    path.write_text(header + DIALECT_A + header + second)
    assert [(run.seed, run.val_bpb) for run in read_runs(path)] == [(1337, 1.22436570), (7, 1.23)]


def test_missing_stop_line_falls_back_to_the_last_validation(tmp_path: Path) -> None:
    text = "".join(line for line in DIALECT_A.splitlines(keepends=True) if not line.startswith("stopping"))
    run = read_one(tmp_path, text)
    assert (run.train_seconds, run.steps) == (600.038, 13780)


def test_no_final_newline_and_crlf(tmp_path: Path) -> None:
    assert read_one(tmp_path, DIALECT_A.rstrip("\n")).val_bpb == 1.22436570
    assert read_one(tmp_path, DIALECT_A.replace("\n", "\r\n")).val_bpb == 1.22436570


def test_a_failed_adaptation_is_not_the_score(tmp_path: Path) -> None:
    sliding = "final_int6_sliding_window val_loss:2.50671564 val_bpb:1.08938974 eval_time:76195ms\n"
    worse = "final_int6_ttt val_loss:3.07421378 val_bpb:1.33603200 eval_time:405410ms\n"
    better = "final_int6_ttt val_loss:2.40000000 val_bpb:1.04300000 eval_time:405410ms\n"
    assert read_one(tmp_path, DIALECT_A + sliding + worse).val_bpb == 1.08938974
    assert read_one(tmp_path, DIALECT_A + sliding + better).val_bpb == 1.043


def test_unlabelled_totals(tmp_path: Path) -> None:
    text = DIALECT_A.replace("Total submission size int8+zlib: 15863489", "Total submission size: 15863489")
    assert read_one(tmp_path, text).artifact_bytes == 15863489
    first_only = text.replace("Total submission size: 15863489 bytes\n", "")
    assert read_one(tmp_path, first_only).artifact_bytes is None


def test_evaluation_of_an_existing_artifact(tmp_path: Path) -> None:
    skipped = ("50/", "0/2", "stopping", "train_time", "pre-quant")
    text = "".join(line for line in OURS.splitlines(keepends=True) if not line.startswith(skipped))
    run = read_one(tmp_path, text)
    assert not run.trained
    assert run.val_bpb == 1.71751897
    assert read_one(tmp_path, OURS).trained


def test_a_score_that_is_no_number_stays_the_headline(tmp_path: Path) -> None:
    run = read_one(tmp_path, OURS.replace("val_bpb:1.71751897", "val_bpb:nan"))
    assert run.val_bpb != run.val_bpb


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_log_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(content)
    with pytest.raises(GolfError, match=r"train\.log: expected .* found an empty file"):
        read_runs(path)


@pytest.mark.parametrize("content", [b"seed:1\n\0\1\2", bytes(range(128, 256)), OURS.encode("utf-16")])
def test_a_binary_log_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(content)
    with pytest.raises(GolfError, match=r"train\.log:\d+: expected the text of a log, found binary data"):
        read_runs(path)


def test_text_without_a_run_has_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of interest\nval_bpb is 1.0\n")
    assert read_runs(path) == []


def test_endless_lines_and_numbers_are_cut(tmp_path: Path) -> None:
    hostile = "x" * 200_000 + "seed:5\n" + "seed:" + "9" * 5000 + "\ntotal_eval_time:1..2s\n"
    run = read_one(tmp_path, hostile + OURS)
    assert run.seed == 42
    assert run.facts["seed"].line == 3 + OURS.splitlines().index("  seed: 42") + 1


def published_entries() -> list[tuple[Path, dict[str, object]]]:
    if not SHARED.is_dir():
        return []
    folders = json.loads((SHARED / "expected.json").read_text()).items()
    return [
        (SHARED / "records" / folder["track"] / name, entry)
        for name, folder in folders
        for entry in folder["seeds"] + folder.get("extra_runs", [])
        if (entry["log"] or "").endswith((".log", ".txt"))
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the published logs in ../shared/fixtures")
def test_every_published_log() -> None:
    """A score read in another log than clock and size is written `scored.log + trained.log` there."""
    for folder, entry in published_entries():
        names = str(entry["log"]).split(" + ")
        trained = {name: getattr(read_runs(folder / names[-1])[-1], name) for name in FACTS}
        found = []
        for run in read_runs(folder / names[0]):
            scored = {name: getattr(run, name) for name in FACTS if len(names) == 1 or getattr(run, name) is not None}
            found.append(trained | scored | {"score_key": run.headline.key if run.headline else None})
        expected = {name: entry[name] for name in (*FACTS, "score_key")}
        assert expected in found, (folder.name, expected, found)
