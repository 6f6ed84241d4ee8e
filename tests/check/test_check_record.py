"""A record in order passes; each thing that can be wrong with it is found by the rule that names it."""

import json
from collections.abc import Callable

import pytest

from tests.support.folders import Folder
from toolkit.check.rulebook.ruleset import all_rules
from toolkit.check.subject.baseline import Baseline

LOG = "train_seed42.log"


def change_total(folder: Folder, total: int) -> None:
    line = next(line for line in (folder.path / LOG).read_text().splitlines() if line.startswith("Total"))
    folder.edit(LOG, line, f"Total submission size int6+brotli: {total} bytes")


def test_a_record_in_order_passes_every_rule(record: Folder) -> None:
    report = record.check()
    assert [finding for finding in report.findings if finding.outcome != "PASS"] == []
    assert report.verdict == "PASS"
    assert {finding.rule for finding in report.findings} == {rule.id for rule in all_rules()}


def test_facts_are_those_of_the_logs(record: Folder) -> None:
    facts = record.check().to_json()["facts"]
    assert [entry["seed"] for entry in facts["seeds"]] == [1337, 2025, 42]
    seed42 = facts["seeds"][-1]
    assert (seed42["steps"], seed42["train_seconds"], seed42["eval_seconds"]) == (812, 59.112, 4.5)
    assert seed42["val_loss"] == 2.900042
    assert seed42["artifact_bytes"] == 600_000 + facts["code_bytes"]
    assert facts["missing_required_files"] == []
    assert facts["val_loss_std"] == pytest.approx(0.000996, abs=2e-5)


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("SIZE-CAP", lambda folder: change_total(folder, 16_000_001)),
        ("SIZE-CAP", lambda folder: folder.edit(LOG, "brotli: 600000 bytes", "brotli: 16000000 bytes")),
        ("TRAIN-600", lambda folder: folder.edit(LOG, "train_time: 57012ms", "train_time: 600400ms")),
        ("TRAIN-600", lambda folder: folder.edit(LOG, "calibration: 59112ms", "calibration: 600400ms")),
        ("EVAL-600", lambda folder: folder.edit(LOG, "total_eval_time:4.5s", "total_eval_time:601.0s")),
        ("EVAL-600", lambda folder: folder.edit(LOG, "eval_time:1500ms", "eval_time:601000ms")),
        ("RECORD-FILES", lambda folder: (folder.path / LOG).unlink()),
        ("RECORD-FILES", lambda folder: leave_an_empty_script(folder)),
        ("FULL-VAL-COVERAGE", lambda folder: folder.edit(LOG, "val_targets: 1000000", "val_targets: 999999")),
        ("FULL-VAL-COVERAGE", lambda folder: shrink_validation(folder)),
        ("TOKENIZER-BYTES", lambda folder: folder.edit(LOG, "val_bytes: 2436000", "val_bytes: 2400000")),
        ("CODE-LOG-MISMATCH", lambda folder: folder.edit("train_gpt.py", "import", "\nimport")),
        ("CODE-LOG-MISMATCH", lambda folder: folder.edit_json(bundle_sha256="0" * 64)),
    ],
)
def test_each_fault_fails_the_rule_that_names_it(record: Folder, rule: str, spoil: Callable[[Folder], None]) -> None:
    spoil(record)
    assert rule in record.failed_rules()
    assert record.check().verdict == "FAIL"
    assert record.failed_rules() <= {rule, "CODE-LOG-MISMATCH"}


def leave_an_empty_script(folder: Folder) -> None:
    (folder.path / "train_gpt_readable.py").unlink()
    (folder.path / "train_gpt.py").write_text("")


def shrink_validation(folder: Folder) -> None:
    """One seed on less text than the others, its own counts in order."""
    folder.edit(LOG, "val_tokens: 1000001", "val_tokens: 500001")
    folder.edit(LOG, "val_targets: 1000000", "val_targets: 500000")
    folder.edit(LOG, "val_bytes: 2436000", "val_bytes: 1218000")


def test_a_finding_has_expected_found_and_the_line(record: Folder) -> None:
    record.edit(LOG, "train_time: 57012ms", "train_time: 600400ms")
    (finding,) = [f for f in record.check().findings if f.rule == "TRAIN-600" and f.outcome == "FAIL"]
    assert finding.where == f"{LOG}:{record.line(LOG, 'stopping_early')}"
    assert finding.expected.startswith("<= 600 s")
    assert finding.found == "600.400 s"
    assert finding.evidence == "stopping_early: wallclock_cap train_time: 600400ms step: 812/20000"


def test_limits_are_inclusive(record: Folder) -> None:
    record.edit(LOG, "train_time: 57012ms", "train_time: 600200ms")
    change_total(record, 16_000_000)
    assert record.outcomes("TRAIN-600") == {"PASS"}
    assert record.outcomes("SIZE-CAP") == {"PASS"}
    assert record.failed_rules() == {"CODE-LOG-MISMATCH"}  # the total is neither code plus model nor as claimed


@pytest.mark.parametrize(
    ("rule", "prefixes"),
    [
        ("SIZE-CAP", ("Serialized model int6", "Total")),
        ("TRAIN-600", ("stopping_early", "train_time", "50/")),
        ("EVAL-600", ("total_eval_time", "final_", "pre-")),
        ("FULL-VAL-COVERAGE", ("val_tokens", "val_targets")),
        ("TOKENIZER-BYTES", ("val_bytes",)),
        ("CODE-LOG-MISMATCH", ("bundle_sha256", "  bundle_sha256", "Code size")),
    ],
)
def test_missing_evidence_is_unknown(record: Folder, rule: str, prefixes: tuple[str, ...]) -> None:
    lines = (record.path / LOG).read_text().splitlines(keepends=True)
    (record.path / LOG).write_text("".join(line for line in lines if not line.startswith(prefixes)))
    assert record.outcomes(rule) >= {"UNKNOWN"}
    assert "FAIL" not in record.outcomes(rule)
    assert record.check().verdict in ("UNKNOWN", "FAIL")


@pytest.mark.parametrize("content", [b"", b"\0\1\2"])
def test_an_empty_or_binary_log_is_a_missing_one(record: Folder, content: bytes) -> None:
    (record.path / LOG).write_bytes(content)
    assert record.failed_rules() == {"RECORD-FILES", "CODE-LOG-MISMATCH"}  # the mean is over the claimed seeds
    (problem,) = [f for f in record.check().findings if f.outcome == "UNKNOWN"]
    assert problem.where == LOG
    assert "found" in problem.found


def test_numbers_of_the_submission_are_held_against_the_logs(record: Folder) -> None:
    record.edit_json(val_bpb=1.5, bytes_total=1)
    results = json.loads((record.path / "submission.json").read_text())["seed_results"]
    results["42"]["steps"] = 900
    record.edit_json(seed_results=results)
    found = {f.where: f.outcome for f in record.check().findings if f.where.startswith("submission.json ")}
    for place in ("val_bpb", "bytes_total", "seed 42 steps"):
        assert found[f"submission.json {place}"] == "FAIL"


def test_a_score_that_no_log_bears_out(record: Folder) -> None:
    """Rounding is no claim of its own, a better score is."""
    score = json.loads((record.path / "submission.json").read_text())["val_bpb"]
    record.edit_json(val_bpb=round(score, 4))
    assert record.check().verdict == "PASS"
    record.edit_json(val_bpb=round(score - 0.001, 4))
    assert record.failed_rules() == {"CODE-LOG-MISMATCH"}


def test_files_that_are_not_needed_for_a_verdict_warn(record: Folder) -> None:
    (record.path / "README.md").unlink()
    record.edit_json(github_id="")
    assert record.check().verdict == "WARN"
    assert record.outcomes("RECORD-FILES") == {"PASS", "WARN"}


def test_a_script_of_another_name_is_found(record: Folder) -> None:
    (record.path / "train_gpt.py").rename(record.path / "train_gpt_v5.py")
    assert record.outcomes("RECORD-FILES") == {"PASS", "WARN"}
    assert record.outcomes("CODE-LOG-MISMATCH") == {"PASS"}


def test_a_submission_that_is_no_json_is_unknown(record: Folder) -> None:
    (record.path / "submission.json").write_text("{")
    assert record.check().verdict == "UNKNOWN"


def use_ppm_seed(folder: Folder) -> None:
    folder.edit("recipe.toml", "ppm_trie", "ppm_seed")
    for log in folder.path.glob("*.log"):
        folder.edit(log.name, "ppm_trie", "ppm_seed")


def test_the_seed_mixture_fails_for_the_leaderboard(leaderboard: Folder) -> None:
    use_ppm_seed(leaderboard)
    assert leaderboard.failed_rules() == {"TARGET-GATE", "BYTE-SPREAD"}


def test_the_recipe_alone_is_enough(leaderboard: Folder) -> None:
    leaderboard.edit("recipe.toml", "ppm_trie", "ppm_seed")
    assert leaderboard.failed_rules() == {"TARGET-GATE", "BYTE-SPREAD"}


def test_the_seed_mixture_warns_elsewhere(record: Folder) -> None:
    use_ppm_seed(record)
    assert record.check().verdict == "WARN"
    assert "WARN" in record.outcomes("TARGET-GATE") & record.outcomes("BYTE-SPREAD")


@pytest.mark.parametrize("gate", ["strict", "documented"])
def test_gates_that_read_the_context_alone(leaderboard: Folder, gate: str) -> None:
    use_ppm_seed(leaderboard)
    leaderboard.edit("recipe.toml", 'gate = "v2"', f'gate = "{gate}"')
    assert leaderboard.failed_rules() == {"BYTE-SPREAD"}


def test_a_strange_script_is_judged_by_the_analysis_alone(record: Folder) -> None:
    record.edit("train_gpt.py", "import", "\nimport")
    places = {f.where: f.found for f in record.check().findings if f.rule == "BYTE-SPREAD"}
    assert places["train_gpt.py"] == "nothing of the kind in what the script reaches"
    assert "train_gpt_readable.py" not in places


def test_a_script_that_cannot_be_read_is_not_cleared(record: Folder) -> None:
    (record.path / "train_gpt.py").write_text("import os\nexec(os.environ['PROGRAM'])\n")
    findings = record.check().findings
    assert [f.outcome for f in findings if f.rule == "STATIC-ANALYSIS"] == ["UNKNOWN"]
    assert [f for f in findings if (f.rule, f.where) == ("NGRAM-HASH", "train_gpt.py")] == []


def test_a_stub_that_executes_a_file_beside_it_is_followed(record: Folder) -> None:
    (record.path / "train_gpt.py").write_text("exec(open('decode.py').read())\n")
    (record.path / "decode.py").write_text("import os\nos.system('pip install brotli')\n")
    found = {f.where: f.outcome for f in record.check().findings if f.rule in ("NO-NETWORK", "STATIC-ANALYSIS")}
    assert found == {"decode.py:2": "WARN", "decode.py": "PASS"}


def test_no_bar_outside_the_leaderboard(record: Folder) -> None:
    (finding,) = [f for f in record.check().findings if f.rule == "SIGNIFICANCE"]
    assert (finding.outcome, finding.found) == ("PASS", "no bar in this track")
    assert "non-record-16mb" in finding.evidence


def test_a_leaderboard_entry_needs_a_baseline(leaderboard: Folder) -> None:
    assert leaderboard.check().verdict == "UNKNOWN"
    assert leaderboard.check(Baseline("old", (1.8,))).verdict == "PASS"


@pytest.mark.parametrize(
    ("old", "outcome"), [(1.75, "PASS"), (1.7190, "WARN"), (1.7181, "FAIL"), (1.70, "FAIL")]
)  # ours is 1.71818 on average with a deviation of 0.0006 BPB; 0.005 nats are 0.0030 BPB
def test_readme_rule_and_frontier(leaderboard: Folder, old: float, outcome: str) -> None:
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (old,))) == {outcome}


def test_leaderboard_hardware(leaderboard: Folder) -> None:
    leaderboard.edit(LOG, "world_size: 8\n", "world_size: 1\n")
    leaderboard.edit("train_seed1337.log", "NVIDIA H100 80GB HBM3", "NVIDIA H200")
    warned = {f.where for f in leaderboard.check().findings if (f.rule, f.outcome) == ("TRACK-LABEL", "WARN")}
    assert warned == {
        f"{LOG}:{leaderboard.line(LOG, 'world_size')}",
        f"train_seed1337.log:{leaderboard.line('train_seed1337.log', 'hardware')}",
    }


def test_leaderboard_needs_all_of_fineweb(leaderboard: Folder) -> None:
    leaderboard.edit(LOG, "62021633", "10000001")
    leaderboard.edit(LOG, "val_targets: 62021632", "val_targets: 10000000")
    assert leaderboard.failed_rules() == {"FULL-VAL-COVERAGE"}


def test_another_text_is_no_leaderboard_entry(record: Folder) -> None:
    record.edit_json(track="10min_16mb")
    assert record.failed_rules() == {"FULL-VAL-COVERAGE"}
    assert "WARN" in record.outcomes("TRACK-LABEL")


def test_the_strictest_label_counts(record: Folder) -> None:
    record.edit("recipe.toml", "non-record-16mb", "10min_16mb")
    report = record.check()
    assert report.facts["track"] == "10min_16mb"


def test_no_label_at_all_is_unknown(record: Folder) -> None:
    plain = record.path.parents[2] / "somewhere"
    record.path.rename(plain)
    record.path = plain
    record.edit("recipe.toml", "track", "tracks")
    record.edit_json(track=None)
    for log in plain.glob("*.log"):
        record.edit(log.name, "  track: ", "  tracks: ")
    assert record.outcomes("TRACK-LABEL") == {"UNKNOWN"}


def test_unlimited_compute_is_lifted_by_the_readme(record: Folder) -> None:
    record.edit(LOG, "train_time: 57012ms", "train_time: 14400000ms")
    assert "TRAIN-600" in record.failed_rules()
    for name in ("recipe.toml", *(log.name for log in record.path.glob("*.log"))):
        record.edit(name, "non-record-16mb", "non-record-unlimited-compute-16mb")
    record.edit_json(track="non-record-unlimited-compute-16mb")
    assert record.outcomes("TRAIN-600") == {"PASS", "WARN"}
    record.edit("README.md", "# Demo", "# Demo\nAn unlimited-compute run of four hours.")
    assert record.outcomes("TRAIN-600") == {"PASS"}
    record.edit(LOG, "brotli: 600000 bytes", "brotli: 16000000 bytes")
    assert "SIZE-CAP" in record.failed_rules()
