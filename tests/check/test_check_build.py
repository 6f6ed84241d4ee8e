"""Builds, single runs and folders of other people; and what is not checked at all."""

import json
from pathlib import Path

import pytest

from tests.support.folders import Folder
from toolkit.bundle import write_build
from toolkit.check import check_path
from toolkit.check.rulebook.ruleset import all_rules
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe


def test_a_build_is_checked_for_what_concerns_a_build(build: Folder) -> None:
    report = build.check()
    assert report.verdict == "PASS"
    rules = {finding.rule for finding in report.findings}
    assert rules == {"SIZE-CAP", "TRACK-LABEL", "CODE-LOG-MISMATCH"} | {rule.id for rule in all_rules() if rule.static}


def test_a_build_whose_script_changed(build: Folder) -> None:
    build.edit("train_gpt.py", "import", "\nimport")
    assert build.failed_rules() == {"CODE-LOG-MISMATCH"}


def test_a_build_for_the_leaderboard_with_the_seed_mixture(build: Folder) -> None:
    build.edit("recipe.toml", "ppm_trie", "ppm_seed")
    build.edit("recipe.toml", "non-record-16mb", "10min_16mb")
    assert build.failed_rules() == {"TARGET-GATE", "BYTE-SPREAD"}


def test_a_run_is_checked_with_its_build(build: Folder) -> None:
    report = check_path(build.path / "runs" / "seed42")
    assert report.verdict == "PASS"
    assert {"SIGNIFICANCE", "RECORD-FILES"}.isdisjoint(finding.rule for finding in report.findings)
    assert report.facts["seeds"][0]["seed"] == 42


def test_the_artifact_of_a_run_is_measured(build: Folder) -> None:
    run = build.path / "runs" / "seed42"
    (run / "final_model.ptz").write_bytes(bytes(16_000_000))
    failed = {finding.rule for finding in check_path(run).findings if finding.outcome == "FAIL"}
    assert failed == {"SIZE-CAP", "CODE-LOG-MISMATCH"}


def test_a_run_without_its_build_is_unknown(build: Folder) -> None:
    (build.path / "train_gpt.py").unlink()
    assert check_path(build.path / "runs" / "seed42").verdict == "UNKNOWN"


def foreign_record(folder: Path, script: str, code_bytes: int, model_bytes: int) -> Path:
    """A folder of the first weeks: dialect A, no hashes, code size as the author counts it."""
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("# Somebody's record\n")
    (folder / "train_gpt.py").write_text(script)
    fields = {"author": "B", "github_id": "b", "name": "B", "val_bpb": 1.2243657, "track": "10min_16mb"}
    (folder / "submission.json").write_text(json.dumps(fields))
    (folder / "train.log").write_text(
        "val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path=./data/tokenizers/fineweb_1024_bpe.model\n"
        "val_loader:shards pattern=./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin tokens:62021632\n"
        "world_size:8 grad_accum_steps:1\nseed:1337\n"
        "stopping_early: wallclock_cap train_time:600128ms step:13780/20000\n"
        f"Code size: {code_bytes} bytes\n"
        f"Serialized model int8+zlib: {model_bytes} bytes (payload:1 raw_torch:1 payload_ratio:3.91x)\n"
        f"Total submission size int8+zlib: {code_bytes + model_bytes} bytes\n"
        "final_int8_zlib_roundtrip val_loss:2.0673 val_bpb:1.2244 eval_time:1401ms\n"
        "final_int8_zlib_roundtrip_exact val_loss:2.06732600 val_bpb:1.22436570\n"
    )
    return folder


PLAIN = "".join(f"def function_{i}(argument):\n    return argument + {i}\n" for i in range(1_500))


@pytest.mark.parametrize(
    ("model_bytes", "outcome"),
    [(15_900_000, "PASS"), (15_950_000, "WARN"), (15_999_000, "FAIL")],  # the script has 80 kB, packed 2 kB
)
def test_a_plain_script_may_count_compressed(tmp_path: Path, model_bytes: int, outcome: str) -> None:
    folder = foreign_record(tmp_path / "track_10min_16mb" / "x", PLAIN, len(PLAIN), model_bytes)
    assert {f.outcome for f in check_path(folder).findings if f.rule == "SIZE-CAP"} == {outcome}


def test_a_stranger_s_folder_is_judged_by_its_evidence(tmp_path: Path) -> None:
    report = check_path(foreign_record(tmp_path / "track_10min_16mb" / "x", PLAIN, len(PLAIN), 15_000_000))
    outcomes = {rule: {f.outcome for f in report.findings if f.rule == rule} for rule in ("TRAIN-600", "TARGET-GATE")}
    assert outcomes == {"TRAIN-600": {"PASS"}, "TARGET-GATE": {"PASS"}}
    for rule in ("TOKENIZER-BYTES", "FULL-VAL-COVERAGE", "CODE-LOG-MISMATCH"):
        assert {f.outcome for f in report.findings if f.rule == rule} == {"PASS"}


def test_bytes_counted_twice_are_found(tmp_path: Path) -> None:
    folder = foreign_record(tmp_path / "track_10min_16mb" / "x", PLAIN, len(PLAIN), 15_000_000)
    log = folder / "train.log"
    log.write_text(log.read_text().replace("val_bpb:1.22436570", "val_bpb:1.17600000"))  # -4 %
    assert {f.outcome for f in check_path(folder).findings if f.rule == "TOKENIZER-BYTES"} == {"FAIL"}


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(GolfError, match="expected the folder of a build, a run or a record"):
        check_path(tmp_path)
    with pytest.raises(GolfError, match="expected a script or the log of a run, found neither"):
        check_path(tmp_path / "notes.txt")


def test_links_that_leave_the_folder_are_not_followed(record: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.log"
    (record.path / "train_seed42.log").rename(outside)
    (record.path / "train_seed42.log").symlink_to(outside)
    assert "RECORD-FILES" in record.failed_rules()


@pytest.mark.parametrize("name", ["submission.json", "recipe.toml"])
@pytest.mark.parametrize("content", ["[" * 100_000, "\0", "[1, 2]", '{"seeds": {"\u0663": 1}}', '{"track": ["x"]}'])
def test_hostile_settings_are_findings(record: Folder, name: str, content: str) -> None:
    (record.path / name).write_text(content)
    json.dumps(record.check().to_json(), allow_nan=False)


def test_a_real_build_with_the_seed_mixture(tmp_path: Path) -> None:
    """The recipe tells, and so does the packed script to somebody who knows nothing of us."""
    write_build(load_recipe("sp4096_ppm_seed"), tmp_path / "build")
    failed = {(f.rule, f.where) for f in check_path(tmp_path / "build").findings if f.outcome == "FAIL"}
    places = ("recipe.toml", "bundle.json", "train_gpt.py", "train_gpt_readable.py")
    assert failed >= {(rule, place) for rule in ("TARGET-GATE", "BYTE-SPREAD") for place in places}
    (tmp_path / "train_gpt.py").write_bytes((tmp_path / "build" / "train_gpt.py").read_bytes())
    alone = {f.rule: f for f in check_path(tmp_path / "train_gpt.py").findings if f.outcome != "PASS"}
    assert alone.keys() == {"BYTE-SPREAD", "C2-NORMALIZED"}
    assert alone["BYTE-SPREAD"].outcome == "FAIL"
    assert "#include" in alone["BYTE-SPREAD"].evidence


@pytest.mark.parametrize("recipe", ["demo", "sp4096_ppm"])
def test_a_real_build_without_it_is_clean_to_the_analysis(recipe: str, tmp_path: Path) -> None:
    write_build(load_recipe(recipe), tmp_path)
    report = check_path(tmp_path)
    assert [f for f in report.findings if f.outcome != "PASS"] == []
    assert {f.found for f in report.findings if f.rule == "NGRAM-HASH"} == {
        "nothing of the kind in what the script reaches"
    }
