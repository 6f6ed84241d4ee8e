"""The checker on published folders: every fact of theirs, and every way in which they disagree with themselves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from toolkit.check import Report, check_path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
KEYS = ("seed", "val_bpb", "val_loss", "artifact_bytes", "train_seconds", "eval_seconds", "steps", "seed_in_filename")

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the published folders in ../shared/fixtures")

# Folder (its beginning) -> what some finding says of it: rule, and a part of its place, expectation or evidence.
# The folders come without their scripts; a comment of the published length stands in for each.
INCONSISTENCIES = [
    ("2026-03-19_MLP3x_QAT", "CODE-LOG-MISMATCH", "1.15015359"),
    ("2026-03-19_MLP3x_QAT", "RECORD-FILES", "seed 123"),
    ("2026-03-19_int6_STE", "SIZE-CAP", "16,186,500"),
    ("2026-03-19_MixedQuant", "CODE-LOG-MISMATCH", "3 runs"),
    ("2026-03-19_Seq2048", "CODE-LOG-MISMATCH", "1.15861696, one of them"),
    ("2026-03-19_SlidingWindowEval", "CODE-LOG-MISMATCH", "58,340"),
    ("2026-03-19_WarmdownQuantization", "CODE-LOG-MISMATCH", "51,200"),
    ("2026-03-19_TrainingOptSeq4096", "CODE-LOG-MISMATCH", "47,642"),
    ("2026-04-01_Vocab4096", "CODE-LOG-MISMATCH", "68,246"),
    ("2026-04-01_Vocab4096", "CODE-LOG-MISMATCH", "68,207"),
    ("2026-04-09_SP8192_3LayerRecur", "CODE-LOG-MISMATCH", "16,630"),
    ("2026-03-20_10L_Int5MLP", "RECORD-FILES", "no val_bpb"),
    ("2026-03-20_10L_Int5MLP", "CODE-LOG-MISMATCH", "1.14276"),
    ("2026-03-20_10L_Int5MLP", "CODE-LOG-MISMATCH", "15,900,000"),
    ("2026-03-21_11L_XSA4", "CODE-LOG-MISMATCH", "one of them"),
    ("2026-03-22_11L_EMA", "CODE-LOG-MISMATCH", "one of them"),
    ("2026-03-18_FP16Embed", "CODE-LOG-MISMATCH", "one of them"),
    ("2026-03-24_74M_Ternary", "CODE-LOG-MISMATCH", "one of them"),
    ("2026-03-31_Parallel", "GPTQ-CALIBRATION-BUDGET", "which is no training data"),
    ("2026-04-04_SP4096", "CODE-LOG-MISMATCH", "final_int6_ttt"),
    ("2026-04-06_SP8192_HessianSDClip", "SIZE-CAP", "16,054,963"),
    ("2026-04-06_SP8192_HessianSDClip", "CODE-LOG-MISMATCH", "5180"),
    ("2026-04-06_SP8192_HessianSDClip", "CODE-LOG-MISMATCH", "15976275"),
    ("2026-04-06_SP8192_HessianSDClip", "TRACK-LABEL", "non-record-16mb (submission.json name)"),
    ("2026-04-06_SP8192_QK5", "CODE-LOG-MISMATCH", "588.004"),
    ("2026-04-16_SmearGate", "CODE-LOG-MISMATCH", "15910554"),
    ("2026-04-18_PR1626", "CODE-LOG-MISMATCH", "seed 1337"),
    ("2026-04-23_SP8192", "CODE-LOG-MISMATCH", "ttt_pr1767/seed_0.log"),
    ("2026-03-19_SwiGLU", "RECORD-FILES", "no log"),
    ("2026-03-19_SwiGLU", "RECORD-FILES", "an empty file"),
    ("2026-03-19_SwiGLU", "RECORD-FILES", "no author, github_id"),
    ("2026-03-21_DepthRecurrence", "RECORD-FILES", "no log"),
    ("2026-03-26_37M", "SIZE-CAP", "no line with the bytes"),
    ("2026-03-29_HNet", "CODE-LOG-MISMATCH", "2 runs"),
    ("2026-03-31_LegendreGPT", "CODE-LOG-MISMATCH", "1.2266"),
    ("2026-03-31_LegendreGPT", "CODE-LOG-MISMATCH", "15,702,333"),
    ("2026-04-05_118M", "RECORD-FILES", "missing"),
    ("2026-04-05_118M", "CODE-LOG-MISMATCH", "cut off"),
    ("2026-04-15_Mamba3", "EVAL-600", "eval_time:0ms"),
]


def published_folders() -> dict[str, dict[str, Any]]:
    folders: dict[str, dict[str, Any]] = json.loads((SHARED / "expected.json").read_text()) if SHARED.is_dir() else {}
    return folders


def check(name: str, tmp_path: Path) -> Report:
    """The folder as published; files whose content is not at hand are empty, the script a comment of its length."""
    expected = published_folders()[name]
    folder = tmp_path / expected["track"] / name
    shutil.copytree(SHARED / "records" / expected["track"] / name, folder)
    for file in expected["folder_files"]:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).touch()
    if "train_gpt.py" in expected["folder_files"] and expected["code_bytes"]:
        (folder / "train_gpt.py").write_text("#" * expected["code_bytes"])
    return check_path(folder)


def rows(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(str([entry.get(key) for key in KEYS]) for entry in entries)


@pytest.mark.parametrize("name", published_folders())
def test_facts_of_a_published_folder(name: str, tmp_path: Path) -> None:
    """Which runs a submission reports, every number of them with its line, and what the folder lacks."""
    expected = published_folders()[name]
    facts = check(name, tmp_path).to_json()["facts"]
    assert rows(facts["seeds"]) == rows(expected["seeds"])
    assert rows(facts["extra_runs"]) == rows(expected.get("extra_runs", []))
    assert facts["mean_val_bpb"] == pytest.approx(expected["mean_val_bpb"], abs=1e-8)
    assert facts["missing_required_files"] == expected["missing_required_files"]
    folder = SHARED / "records" / expected["track"] / name
    for entry in facts["seeds"]:
        for source in entry["sources"].values():
            lines = (folder / source["file"]).read_text(errors="replace").split("\n")
            assert source["text"] in lines[source["line"] - 1]


@pytest.mark.parametrize(("beginning", "rule", "text"), INCONSISTENCIES)
def test_inconsistencies_of_published_folders_are_found(beginning: str, rule: str, text: str, tmp_path: Path) -> None:
    (name,) = (name for name in published_folders() if name.startswith(beginning))
    findings = [finding for finding in check(name, tmp_path).findings if finding.rule == rule]
    said = [" ".join((f.where, f.expected, f.found, f.evidence)) for f in findings]
    assert any(text in line for line in said), said


def test_folders_that_disagree_say_so_side_by_side(tmp_path: Path) -> None:
    (name,) = (name for name in published_folders() if name.startswith("2026-04-18_PR1626"))
    seeds = check(name, tmp_path).facts["statements"]["seed"]
    assert {(entry["value"], entry["file"]) for entry in seeds} >= {
        (1337, "train_seed0.log"),
        (0, "name of train_seed0.log"),
        (0, "submission.json"),
    }
