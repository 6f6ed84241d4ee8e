"""For every rule of logs, claims and folders: the least that violates it, and what looks like it and is legal."""

import math
import re
from collections.abc import Callable

import pytest

from tests.support.folders import Folder
from toolkit.check.rulebook.ruleset import all_rules
from toolkit.check.subject.baseline import Baseline

LOG = "train_seed42.log"
STOP = "stopping_early: wallclock_cap train_time: 57012ms step: 812/20000\n"
GPTQ = "GPTQ:collected 25 Hessians in 2.1s\n"
BAR = Baseline("old", (1.75,))
TRUE_RATIO = 151_080_363 / 62_021_632
Edit = Callable[[Folder], object]


def foreign(folder: Folder) -> None:
    """The logs of somebody else's script: no hashes, no clock of ours."""
    for log in folder.path.glob("*.log"):
        lines = log.read_text().splitlines(keepends=True)
        ours = ("bundle_sha256", "train_time_with_calibration")
        log.write_text("".join(line for line in lines if not line.strip().startswith(ours)))
    folder.edit_json(bundle_sha256=None)


def stop_at(milliseconds: int, calibration: str) -> Edit:
    def edit(folder: Folder) -> None:
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

    def edit(folder: Folder) -> None:
        text = (folder.path / LOG).read_text().replace("/20000", "/9000")
        for seed in range(count):
            (folder.path / f"old_seed{seed}.log").write_text(text.replace("seed: 42", f"seed: {seed}"))

    return edit


def total(folder: Folder, size: int) -> None:
    line = next(line for line in (folder.path / LOG).read_text().splitlines() if line.startswith("Total"))
    folder.edit(LOG, line, f"Total submission size int6+brotli: {size} bytes")


def compressed(total_bytes: int, script: int | None = None) -> Edit:
    """A log that counts a compressed copy of its script, which may be made long by a comment."""

    def edit(folder: Folder) -> None:
        code = 30_000
        if script:
            (folder.path / "train_gpt.py").write_text("x = 1\n" * (script // 6))
        for log in folder.path.glob("*.log"):
            lines = log.read_text().splitlines(keepends=True)
            both_sizes = f"Code size (uncompressed): {script or code} bytes\nCode size (compressed): {code} bytes\n"
            sizes = {
                "Code size": both_sizes,
                "Serialized model int6": f"Serialized model int6+brotli: {total_bytes - code} bytes\n",
                "Total": f"Total submission size int6+brotli: {total_bytes} bytes\n",
            }
            for start, text in sizes.items():
                lines = [text if line.startswith(start) else line for line in lines]
            log.write_text("".join(lines))

    return edit


def evaluation(line: str, milliseconds: int) -> Edit:
    """A log without a total, with this line ahead of its last scores, which took so long."""

    def edit(folder: Folder) -> None:
        text = (folder.path / LOG).read_text().replace("total_eval_time:4.5s\n", "")
        head, mark, tail = text.rpartition("final_int6_ppm_trie")
        first, _, rest = head.rpartition("final_int6_roundtrip")
        tail = tail.replace("eval_time:1500ms", f"eval_time:{milliseconds}ms")
        (folder.path / LOG).write_text(f"{first}{line}\nfinal_int6_roundtrip{rest}{mark}{tail}")

    return edit


def bytes_per_token(ratio: float) -> Edit:
    """Every score of the run with so many bytes per token."""

    def edit(folder: Folder) -> None:
        lines = (folder.path / LOG).read_text().splitlines(keepends=True)
        (folder.path / LOG).write_text("".join(rescore(line, ratio) for line in lines))

    return edit


def side_file(name: str, text: str) -> Edit:
    return lambda folder: (folder.path / name).write_text(text)


def hints(within: int, word: int) -> Edit:
    line = f"ngram_tilt:hints total=62021632 gated=1 token_gate=1 within_gate={within} word_gate={word} agree2plus=0\n"
    return lambda folder: folder.edit(LOG, "final_int6_ppm_trie", f"{line}final_int6_ppm_trie")


def all_scores(bpb: float) -> Edit:
    """The reported score of every seed, a little apart, at the true bytes per token."""

    def edit(folder: Folder) -> None:
        for index, log in enumerate(sorted(folder.path.glob("*.log"))):
            lines = log.read_text().splitlines(keepends=True)
            score = bpb + 0.001 * (index - 1)
            line = f"final_int6_ppm_trie val_loss:{score * 0.69314718056 * TRUE_RATIO:.8f} val_bpb:{score:.8f}\n"
            log.write_text("".join(line if old.startswith("final_int6_ppm_trie") else old for old in lines))

    return edit


VIOLATIONS: list[tuple[str, str, Edit]] = [
    ("SIZE-CAP", "FAIL", lambda f: total(f, 16_000_001)),
    ("SIZE-CAP", "FAIL", lambda f: total(f, 16_349_337)),  # under 16 MiB
    ("SIZE-CAP", "FAIL", both(foreign, compressed(16_000_415))),  # by the log's own compressed reading
    ("TRAIN-600", "FAIL", lambda f: f.edit(LOG, "train_time: 57012ms", "train_time: 600400ms")),
    ("TRAIN-600", "FAIL", stop_at(600_365 + 500, GPTQ)),
    ("TRAIN-600", "WARN", setting("force_stop_step: 4890")),
    ("EVAL-600", "FAIL", lambda f: f.edit(LOG, "total_eval_time:4.5s", "total_eval_time:605.5s")),
    ("EVAL-600", "WARN", setting("ngram_hint_precompute_outside: True")),
    ("EVAL-600", "FAIL", both(foreign, evaluation("prequant_ttt:done total_time=523.5s", 115_000))),
    ("EVAL-600", "FAIL", both(foreign, evaluation("ttt:done elapsed=456.9s", 190_000))),
    ("EVAL-600", "FAIL", both(foreign, evaluation("ngram_tilt:precompute_outside_timer_done elapsed=164.5s", 553_300))),
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
    ("TOKENIZER-BYTES", "FAIL", both(foreign, bytes_per_token(1.041 * TRUE_RATIO))),
    ("TOKENIZER-NORMALIZATION", "WARN", lambda f: f.edit(LOG, "dataset: fineweb_", "dataset: fineweb_casefold_")),
    ("TOKENIZER-NORMALIZATION", "WARN", side_file("prepare.py", "tokens = sp.encode(text.lower())\n")),
    ("TOKENIZER-NORMALIZATION", "WARN", side_file("bpe.model", "\n\x0bnmt_nfkc_cf\x12")),
    ("TOKENIZER-NORMALIZATION", "WARN", side_file("README.md", "The text is lowercased before it is tokenized.")),
    ("TARGET-GATE", "FAIL", hints(within=9_866_847, word=2_891_588)),
    ("TARGET-GATE", "FAIL", lambda f: f.edit("recipe.toml", "sliding+ppm_trie", "sliding+ppm_seed")),
    ("BYTE-SPREAD", "FAIL", lambda f: f.edit("recipe.toml", "sliding+ppm_trie", "sliding+ppm_seed")),
    ("SIGNIFICANCE", "FAIL", all_scores(1.76)),
    ("SIGNIFICANCE", "WARN", all_scores(1.7492)),  # better by chance at less than one in four
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
    (
        "SIZE-CAP",
        both(foreign, compressed(15_999_999, script=80_000)),
    ),  # readable, counted compressed: a warning at most
    ("TRAIN-600", lambda f: f.edit(LOG, "train_time: 57012ms", "train_time: 600137ms")),  # the step in flight
    ("TRAIN-600", setting("iterations: 20000")),
    ("EVAL-600", lambda f: f.edit(LOG, "total_eval_time:4.5s", "total_eval_time:525.7s")),
    ("EVAL-600", setting("ngram_hint_precompute_outside: False")),
    ("EVAL-600", lambda f: f.edit(LOG, "post-ema", "post-ema (diagnostic, 700 s)")),
    ("EVAL-600", both(foreign, evaluation("ttt_lora:compile warmup done (153.3s)", 525_700))),
    ("EVAL-600", both(foreign, evaluation("ttt:epoch 3/3 time:400.0s", 525_700))),
    (
        "EVAL-600",
        both(foreign, evaluation("diagnostic quantized val_loss:3.0 val_bpb:1.78 eval_time:90000ms", 525_700)),
    ),
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
    ("TOKENIZER-BYTES", both(foreign, bytes_per_token(1.0001 * TRUE_RATIO))),  # a dropped tail
    ("TOKENIZER-NORMALIZATION", lambda f: f.edit(LOG, "dataset: fineweb_", "dataset: fineweb_lossless_caps_caseops_")),
    ("TOKENIZER-NORMALIZATION", side_file("prepare.py", "flag = os.environ['MODE'].lower()\nids = sp.encode(text)\n")),
    ("TOKENIZER-NORMALIZATION", side_file("README.md", "The tokenizer is not a casefold one.")),
    ("TARGET-GATE", hints(within=0, word=0)),
    ("BYTE-SPREAD", side_file("README.md", "No ppm_seed here.")),
    ("SIGNIFICANCE", all_scores(1.735)),
    ("TRACK-LABEL", lambda f: f.edit_json(track="10min-16mb")),
    ("C2-NORMALIZED", lambda f: mixed(f, 1.081, 1.12)),
    ("C2-NORMALIZED", lambda f: mixed(f, 1.04, 1.06)),
    ("ONE-FOLDER", lambda f: rename(f, "2026-03-19_int6_STE QAT_ MLP_bigram _U_Net")),
    ("REPRODUCIBLE", lambda f: (f.path / "final_model.ptz").write_bytes(b"weights")),
    ("REPRODUCIBLE", setting("resume_from: None")),
]


def mixed(folder: Folder, score: float, network: float) -> None:
    """The last score, and those before it."""
    text = (folder.path / LOG).read_text()
    lines = [line.partition(" val_loss:")[0] for line in text.splitlines() if " val_loss:" in line]
    for line in text.splitlines():
        if " val_loss:" in line:
            key = line.partition(" val_loss:")[0]
            folder.edit(
                LOG, line, f"{key} val_loss:2.5 val_bpb:{score if key == lines[-1] else network} eval_time:1500ms"
            )


def rename(folder: Folder, name: str) -> None:
    folder.path = folder.path.rename(folder.path.with_name(name))


def test_every_rule_on_evidence_has_both_kinds_of_example() -> None:
    """A rule that is added without them fails here; those on scripts are in static/test_rule_examples.py."""
    on_evidence = {rule.id for rule in all_rules() if rule.predicate}
    assert {rule for rule, _, _ in VIOLATIONS} == on_evidence
    assert {rule for rule, _ in LOOK_ALIKES} == on_evidence


@pytest.mark.parametrize(("rule", "outcome", "spoil"), VIOLATIONS)
def test_the_least_that_violates_a_rule(rule: str, outcome: str, spoil: Edit, leaderboard: Folder) -> None:
    assert outcome not in leaderboard.outcomes(rule, BAR)
    spoil(leaderboard)
    assert outcome in leaderboard.outcomes(rule, BAR)


@pytest.mark.parametrize(("rule", "edit"), LOOK_ALIKES)
def test_what_looks_like_a_violation_and_is_legal(rule: str, edit: Edit, leaderboard: Folder) -> None:
    edit(leaderboard)
    assert leaderboard.outcomes(rule, BAR) <= ({"PASS", "WARN"} if rule == "SIZE-CAP" else {"PASS"})


def test_a_published_script_stops_a_few_steps_late(leaderboard: Folder) -> None:
    stop_at(600_365, GPTQ)(leaderboard)
    assert leaderboard.outcomes("TRAIN-600") == {"PASS", "WARN"}


def of_a_stranger(folder: Folder, *edits: Edit) -> set[str]:
    """Outcomes of TOKENIZER-BYTES and FULL-VAL-COVERAGE for somebody else's logs after the edits."""
    for edit in (foreign, *edits):
        edit(folder)
    return folder.outcomes("TOKENIZER-BYTES") | folder.outcomes("FULL-VAL-COVERAGE")


def targets(count: int) -> Edit:
    def edit(folder: Folder) -> None:
        for log in folder.path.glob("*.log"):
            text = re.sub(r"val_tokens: \d+", f"val_tokens: {count}", log.read_text())
            log.write_text(text.replace("val_targets: 62021632\n", ""))

    return edit


def test_other_bytes_a_token_are_no_proof_where_they_have_another_reason(leaderboard: Folder) -> None:
    """Fewer bytes make a score worse, and a part of the text differs from the whole."""
    assert of_a_stranger(leaderboard, targets(62_021_632), bytes_per_token(0.99 * TRUE_RATIO)) == {"PASS", "WARN"}
    assert of_a_stranger(leaderboard, bytes_per_token(1.04 * TRUE_RATIO)) == {"PASS", "FAIL"}
    targets(500_000)(leaderboard)
    assert leaderboard.outcomes("TOKENIZER-BYTES") == {"PASS", "WARN"}
    bytes_per_token(1.2 * TRUE_RATIO)(leaderboard)
    assert "FAIL" in leaderboard.outcomes("TOKENIZER-BYTES")


def test_a_mixture_takes_its_bits_from_elsewhere(leaderboard: Folder) -> None:
    """#2032: the loss is the network's; the network's own scores have the true bytes."""
    foreign(leaderboard)
    leaderboard.edit(LOG, "final_int6_ppm_trie val_loss:2.9", "final_int6_ppm_trie val_loss:3.1")
    assert leaderboard.outcomes("TOKENIZER-BYTES") == {"PASS", "WARN"}


@pytest.mark.parametrize(
    ("rule", "claims", "outcomes"),
    [
        ("TOKENIZER-BYTES", {"val_loss": 2.0, "val_bpb": 2.0 / math.log(2) / (1.18 * TRUE_RATIO)}, {"WARN"}),
        ("TOKENIZER-BYTES", {"val_loss": 2.0, "val_bpb": 1.18}, {"UNKNOWN"}),  # rounded
        ("TOKENIZER-BYTES", {"val_loss": 2.0, "val_bpb": 1.4}, {"UNKNOWN"}),
        ("C2-NORMALIZED", {"val_bpb": 0.1}, {"PASS", "WARN"}),
        ("C2-NORMALIZED", {"val_bpb": 1.08}, {"PASS"}),
    ],
)
def test_claims_without_a_log_raise_doubts_and_clear_nothing(
    leaderboard: Folder, rule: str, claims: dict[str, float], outcomes: set[str]
) -> None:
    for log in leaderboard.path.glob("*.log"):
        log.unlink()
    (leaderboard.path / "README.md").write_text("Trained on fineweb10B_sp1024.")
    leaderboard.edit_json(**claims)
    assert leaderboard.outcomes(rule) == outcomes


def test_a_stream_cut_at_a_round_number(leaderboard: Folder) -> None:
    """50 million tokens of another tokenizer: neither bytes nor documents are known. sp10240 is not sp1024."""
    for log in leaderboard.path.glob("*.log"):
        log.write_text(log.read_text().replace("sp1024", "sp10240").replace("demo_1024_bpe", "fineweb_10240_bpe"))
        log.write_text(log.read_text().replace("fineweb_1024_bpe", "fineweb_10240_bpe"))
    every_score = bytes_per_token(3.9589)
    assert of_a_stranger(leaderboard, targets(49_999_872), every_score) == {"WARN"}


def test_a_part_of_the_text_is_a_warning_in_a_stranger_s_log(leaderboard: Folder) -> None:
    assert of_a_stranger(leaderboard, targets(9_662_464)) == {"PASS", "WARN"}


def test_a_mixture_over_the_first_part(leaderboard: Folder) -> None:
    """#1835: the claimed score is one of 18 % of the text, though the log counts all tokens."""
    foreign(leaderboard)
    leaderboard.edit(LOG, "total_eval_time", "ppm_mix bytes=27048621 mix_bpb=0.902805 nn_only=0.97\ntotal_eval_time")
    assert leaderboard.outcomes("FULL-VAL-COVERAGE") == {"PASS"}
    leaderboard.edit_json(val_bpb=0.9028)
    assert leaderboard.outcomes("FULL-VAL-COVERAGE") == {"PASS", "WARN"}


def test_the_word_of_a_submission_that_is_too_large(leaderboard: Folder) -> None:
    foreign(leaderboard)
    without_logs(leaderboard)
    leaderboard.edit_json(bytes_total=16_349_337)
    assert leaderboard.outcomes("SIZE-CAP") == {"FAIL"}
    leaderboard.edit_json(bytes_total=15_349_337)
    assert leaderboard.outcomes("SIZE-CAP") <= {"UNKNOWN", "FAIL"}


def test_a_side_run_is_not_reported(leaderboard: Folder) -> None:
    """#2018: a longer evaluation of a seed that nobody claims."""
    foreign(leaderboard)
    text = (leaderboard.path / LOG).read_text().replace("  seed: 42", "  seed: 7")
    (leaderboard.path / "side_run.log").write_text(text.replace("total_eval_time:4.5s", "total_eval_time:639.9s"))
    assert leaderboard.outcomes("EVAL-600") == {"PASS"}


def test_other_hardware_takes_longer(leaderboard: Folder) -> None:
    """One GPU may have done in 2,400 s what eight do in 300; 65,808 s are too many on any (#1114)."""
    foreign(leaderboard)
    leaderboard.edit(LOG, "world_size: 8", "world_size: 1")
    leaderboard.edit(LOG, "total_eval_time:4.5s", "total_eval_time:2400.0s")
    assert leaderboard.outcomes("EVAL-600") == {"PASS", "WARN"}
    leaderboard.edit(LOG, "total_eval_time:2400.0s", "total_eval_time:65808.2s")
    assert leaderboard.outcomes("EVAL-600") == {"PASS", "FAIL"}


def test_a_record_that_is_no_better_and_one_that_is(leaderboard: Folder) -> None:
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (1.70,))) == {"FAIL"}
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (1.75,))) == {"PASS"}


def test_long_runs_outside_the_leaderboard(record: Folder) -> None:
    """Legal where nobody claims ten minutes; a claim is held to."""
    foreign(record)
    record.edit(LOG, "train_time: 57012ms", "train_time: 3600476ms")
    assert record.outcomes("TRAIN-600") == {"PASS", "WARN"}
    record.edit("README.md", "# Demo", "# Demo\nTrains in under 10 minutes.")
    assert "FAIL" in record.outcomes("TRAIN-600")


def test_a_claimed_seed_without_a_log(leaderboard: Folder) -> None:
    """Early records ship one log of three; ours are written by a program."""
    (leaderboard.path / LOG).unlink()
    assert "FAIL" in leaderboard.outcomes("RECORD-FILES")
    foreign(leaderboard)
    assert leaderboard.outcomes("RECORD-FILES") == {"PASS", "WARN"}
    without_logs(leaderboard)
    assert "FAIL" in leaderboard.outcomes("RECORD-FILES")


def test_folders_without_log_or_script_outside_the_leaderboard(record: Folder) -> None:
    """Three of them were merged; nothing of them can be measured, so the verdict is UNKNOWN."""
    foreign(record)
    without_logs(record)
    (record.path / "train_gpt.py").write_text("")
    assert record.outcomes("RECORD-FILES") == {"PASS", "WARN"}
    assert record.check().verdict == "UNKNOWN"


def without_logs(folder: Folder) -> None:
    for log in folder.path.glob("*.log"):
        log.unlink()


def test_a_total_may_count_more_than_the_model(leaderboard: Folder) -> None:
    """A table beside the model is in the total and in no other line (#278)."""
    foreign(leaderboard)
    total(leaderboard, 16_525_754)
    assert "FAIL" in leaderboard.outcomes("SIZE-CAP")


def test_an_unlisted_tokenizer_of_the_same_name(leaderboard: Folder) -> None:
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
