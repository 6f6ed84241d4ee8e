"""For every rule of logs, claims and folders: the least that violates it, and what looks like it and is legal."""

from collections.abc import Callable
from typing import Any

import pytest

from toolkit.check.acceptance import Baseline

LOG = "train_seed42.log"
STOP = "stopping_early: wallclock_cap train_time: 57012ms step: 812/20000\n"
GPTQ = "GPTQ:collected 25 Hessians in 2.1s\n"
Edit = Callable[[Any], object]


def foreign(folder: Any) -> None:
    """The logs of somebody else's script: no hashes, no clock of ours."""
    for log in folder.path.glob("*.log"):
        lines = log.read_text().splitlines(keepends=True)
        ours = ("bundle_sha256", "train_time_with_calibration")
        log.write_text("".join(line for line in lines if not line.strip().startswith(ours)))
    folder.edit_json(bundle_sha256=None)


def stop_at(milliseconds: int, calibration: str) -> Edit:
    def edit(folder: Any) -> None:
        foreign(folder)
        folder.edit(LOG, STOP, STOP.replace("57012", str(milliseconds)).replace("step: 812", "step: 6500"))
        folder.edit(LOG, GPTQ, calibration)
        folder.edit(LOG, "gptq:reserving 3s, effective=57000ms\n", "")

    return edit


def setting(line: str, name: str = LOG) -> Edit:
    return lambda folder: folder.edit(name, "  seed: ", f"  {line}\n  seed: ")


def both(*edits: Edit) -> Edit:
    return lambda folder: [edit(folder) for edit in edits]


def extra_seeds(count: int) -> Edit:
    """Logs of other seeds, of runs of another length."""

    def edit(folder: Any) -> None:
        text = (folder.path / LOG).read_text().replace("/20000", "/9000")
        for seed in range(count):
            (folder.path / f"old_seed{seed}.log").write_text(text.replace("seed: 42", f"seed: {seed}"))

    return edit


def total(folder: Any, size: int) -> None:
    line = next(line for line in (folder.path / LOG).read_text().splitlines() if line.startswith("Total"))
    folder.edit(LOG, line, f"Total submission size int6+brotli: {size} bytes")


VIOLATIONS: list[tuple[str, str, Edit]] = [
    ("SIZE-CAP", "FAIL", lambda f: total(f, 16_000_001)),
    ("SIZE-CAP", "FAIL", lambda f: total(f, 16_349_337)),  # under 16 MiB
    ("TRAIN-600", "FAIL", lambda f: f.edit(LOG, "train_time: 57012ms", "train_time: 600400ms")),
    ("TRAIN-600", "FAIL", stop_at(600_365 + 500, GPTQ)),
    ("TRAIN-600", "WARN", setting("force_stop_step: 4890")),
    ("EVAL-600", "FAIL", lambda f: f.edit(LOG, "total_eval_time:4.5s", "total_eval_time:605.5s")),
    ("EVAL-600", "WARN", setting("ngram_hint_precompute_outside: True")),
    ("GPTQ-CALIBRATION-BUDGET", "FAIL", stop_at(600_038, "gptq:calibrating with training data...\n" + GPTQ)),
    ("GPTQ-CALIBRATION-BUDGET", "WARN", stop_at(600_038, "GPTQ:collecting Hessians from calibration data...\n" + GPTQ)),
    ("VAL-CALIBRATION", "FAIL", setting("gptq_calib_source: val")),
    ("NO-VAL-IN-TRAINING", "FAIL", lambda f: f.edit(LOG, "train_shards: 80", "train_shards: 1499")),
    ("NO-VAL-IN-TRAINING", "FAIL", setting("train_on_val: True")),
    ("NO-VAL-IN-TRAINING", "FAIL", setting("train_files: data/fineweb_val_*.bin")),
    ("NO-VAL-IN-TRAINING", "FAIL", lambda f: f.edit(LOG, "dataset: fineweb_sp1024", "dataset: fineweb_valonly_sp1024")),
    ("NO-VAL-IN-TRAINING", "WARN", lambda f: f.edit(LOG, "train_shards: 80", "train_shards: 1")),
    ("SEED-BRUTEFORCE", "WARN", lambda f: f.edit(LOG, "  seed: 42", "  seed: 2884431328")),
    ("SEED-BRUTEFORCE", "WARN", extra_seeds(4)),
    ("SEED-BRUTEFORCE", "WARN", lambda f: (f.path / "README.md").write_text("The best of 64 seeds.")),
    ("RECORD-FILES", "FAIL", lambda f: (f.path / LOG).unlink()),
    ("RECORD-FILES", "WARN", lambda f: (f.path / "README.md").unlink()),
    ("FULL-VAL-COVERAGE", "FAIL", lambda f: f.edit(LOG, "val_targets: 62021632", "val_targets: 9662464")),
    (
        "TOKENIZER-BYTES",
        "FAIL",
        lambda f: f.edit(LOG, "final_int6_ppm_trie val_loss:2.9", "final_int6_ppm_trie val_loss:3.0"),
    ),
    ("CODE-LOG-MISMATCH", "FAIL", lambda f: f.edit("train_gpt.py", "import", "\nimport")),
    ("CODE-LOG-MISMATCH", "WARN", lambda f: f.edit(LOG, "vocab_size: 1024", "vocab_size: 2048")),
    ("C2-NORMALIZED", "WARN", lambda f: mixed(f, 0.3, 1.12)),
    ("TRACK-LABEL", "WARN", lambda f: f.edit(LOG, "world_size: 8", "world_size: 1")),
    ("ONE-FOLDER", "WARN", lambda f: rename(f, "my_entry")),
    ("REPRODUCIBLE", "WARN", lambda f: (f.path / "helper.so").write_bytes(b"\x7fELF")),
    ("REPRODUCIBLE", "WARN", setting("resume_from: step_20000.pt")),
]

LOOK_ALIKES: list[tuple[str, Edit]] = [
    ("SIZE-CAP", lambda f: total(f, 16_000_000)),
    ("TRAIN-600", lambda f: f.edit(LOG, "train_time: 57012ms", "train_time: 600137ms")),  # the step in flight
    ("TRAIN-600", setting("iterations: 20000")),
    ("EVAL-600", lambda f: f.edit(LOG, "total_eval_time:4.5s", "total_eval_time:525.7s")),
    ("EVAL-600", setting("ngram_hint_precompute_outside: False")),
    ("EVAL-600", lambda f: f.edit(LOG, "post-ema", "post-ema (diagnostic, 700 s)")),
    ("GPTQ-CALIBRATION-BUDGET", stop_at(586_038, "gptq:calibrating with training data...\n" + GPTQ)),
    ("GPTQ-CALIBRATION-BUDGET", stop_at(600_038, "gptq:generating autoregressive calibration data (64 seqs)\n" + GPTQ)),
    ("VAL-CALIBRATION", setting("gptq_calib_source: train")),
    ("VAL-CALIBRATION", setting("out_dir: ValCalib_GPTQ")),  # the name of a merged folder
    ("NO-VAL-IN-TRAINING", lambda f: f.edit(LOG, "train_shards: 80", "train_shards: 128")),
    ("NO-VAL-IN-TRAINING", setting("val_files: data/fineweb_val_*.bin")),
    ("NO-VAL-IN-TRAINING", setting("train_on_val: False")),
    ("SEED-BRUTEFORCE", lambda f: f.edit(LOG, "  seed: 42", "  seed: 20250318")),  # a date
    ("SEED-BRUTEFORCE", extra_seeds(2)),
    ("SEED-BRUTEFORCE", lambda f: (f.path / "README.md").write_text("Three seeds; a sweep of the learning rate.")),
    ("RECORD-FILES", lambda f: (f.path / LOG).rename(f.path / "log_42.txt")),
    ("FULL-VAL-COVERAGE", lambda f: f.edit(LOG, "val_targets: 62021632", "val_targets: 62021632 ")),
    ("CODE-LOG-MISMATCH", setting("run_id: something_else")),
    ("C2-NORMALIZED", lambda f: mixed(f, 1.081, 1.12)),
    ("C2-NORMALIZED", lambda f: mixed(f, 1.04, 1.06)),
    ("ONE-FOLDER", lambda f: rename(f, "2026-03-19_int6_STE QAT_ MLP_bigram _U_Net")),
    ("REPRODUCIBLE", lambda f: (f.path / "final_model.ptz").write_bytes(b"weights")),
    ("REPRODUCIBLE", setting("resume_from: None")),
]


def mixed(folder: Any, score: float, network: float) -> None:
    """The last score, and those before it."""
    text = (folder.path / LOG).read_text()
    lines = [line.partition(" val_loss:")[0] for line in text.splitlines() if " val_loss:" in line]
    for line in text.splitlines():
        if " val_loss:" in line:
            key = line.partition(" val_loss:")[0]
            folder.edit(
                LOG, line, f"{key} val_loss:2.5 val_bpb:{score if key == lines[-1] else network} eval_time:1500ms"
            )


def rename(folder: Any, name: str) -> None:
    folder.path = folder.path.rename(folder.path.with_name(name))


@pytest.mark.parametrize(("rule", "outcome", "spoil"), VIOLATIONS)
def test_the_least_that_violates_a_rule(rule: str, outcome: str, spoil: Edit, leaderboard: Any) -> None:
    assert outcome not in leaderboard.outcomes(rule)
    spoil(leaderboard)
    assert outcome in leaderboard.outcomes(rule)


@pytest.mark.parametrize(("rule", "edit"), LOOK_ALIKES)
def test_what_looks_like_a_violation_and_is_legal(rule: str, edit: Edit, leaderboard: Any) -> None:
    before = leaderboard.outcomes(rule)
    edit(leaderboard)
    assert leaderboard.outcomes(rule) | {"PASS"} == before | {"PASS"}
    assert leaderboard.outcomes(rule) <= {"PASS"}


def test_a_published_script_stops_a_few_steps_late(leaderboard: Any) -> None:
    stop_at(600_365, GPTQ)(leaderboard)
    assert leaderboard.outcomes("TRAIN-600") == {"PASS", "WARN"}


def test_a_record_that_is_no_better_and_one_that_is(leaderboard: Any) -> None:
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (1.70,))) == {"FAIL"}
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (1.75,))) == {"PASS"}


def test_long_runs_outside_the_leaderboard(record: Any) -> None:
    """Legal where nobody claims ten minutes; a claim is held to."""
    foreign(record)
    record.edit(LOG, "train_time: 57012ms", "train_time: 3600476ms")
    assert record.outcomes("TRAIN-600") == {"PASS", "WARN"}
    record.edit("README.md", "# Demo", "# Demo\nTrains in under 10 minutes.")
    assert "FAIL" in record.outcomes("TRAIN-600")


def test_a_claimed_seed_without_a_log(leaderboard: Any) -> None:
    """Early records ship one log of three; ours are written by a program."""
    (leaderboard.path / LOG).unlink()
    assert "FAIL" in leaderboard.outcomes("RECORD-FILES")
    foreign(leaderboard)
    assert leaderboard.outcomes("RECORD-FILES") == {"PASS", "WARN"}
    without_logs(leaderboard)
    assert "FAIL" in leaderboard.outcomes("RECORD-FILES")


def test_folders_without_log_or_script_outside_the_leaderboard(record: Any) -> None:
    """Three of them were merged; nothing of them can be measured, so the verdict is UNKNOWN."""
    foreign(record)
    without_logs(record)
    (record.path / "train_gpt.py").write_text("")
    assert record.outcomes("RECORD-FILES") == {"PASS", "WARN"}
    assert record.check().verdict == "UNKNOWN"


def without_logs(folder: Any) -> None:
    for log in folder.path.glob("*.log"):
        log.unlink()


def test_a_total_may_count_more_than_the_model(leaderboard: Any) -> None:
    """A table beside the model is in the total and in no other line (#278)."""
    foreign(leaderboard)
    total(leaderboard, 16_525_754)
    assert "FAIL" in leaderboard.outcomes("SIZE-CAP")


def test_an_unlisted_tokenizer_of_the_same_name(leaderboard: Any) -> None:
    """Other tokens for the same bytes are the whole text, whatever the tokenizer calls itself."""
    for log in leaderboard.path.glob("*.log"):
        text = log.read_text().replace("62021633", "56000001").replace("62021632", "56000000")
        ratio = 151_076_000 / 56_000_000
        lines = [rescore(line, ratio) for line in text.splitlines(keepends=True)]
        log.write_text("".join(lines))
    assert leaderboard.outcomes("FULL-VAL-COVERAGE") == {"PASS"}
    assert leaderboard.outcomes("TOKENIZER-BYTES") == {"PASS"}


def rescore(line: str, ratio: float) -> str:
    if "val_bpb:" not in line:
        return line
    head, _, rest = line.partition(" val_loss:")
    loss = float(rest.split()[0])
    return f"{head} val_loss:{loss:.8f} val_bpb:{loss / (0.69314718056 * ratio):.8f} eval_time:1500ms\n"
