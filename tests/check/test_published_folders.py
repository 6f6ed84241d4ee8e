"""The checker's facts on published folders, and no crash on any of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.check import check_path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
KEYS = ("seed", "val_bpb", "val_loss", "artifact_bytes", "train_seconds", "eval_seconds", "steps")

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the published folders in ../shared/fixtures")


def published_folders() -> dict[str, dict[str, Any]]:
    folders: dict[str, dict[str, Any]] = json.loads((SHARED / "expected.json").read_text()) if SHARED.is_dir() else {}
    return folders


def rows(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(str([entry[key] for key in KEYS]) for entry in entries)


@pytest.mark.parametrize("name", published_folders())
def test_facts_of_a_published_folder(name: str) -> None:
    """Which runs a submission reports, and every number of them."""
    expected = published_folders()[name]
    report = check_path(SHARED / "records" / expected["track"] / name)
    facts = report.to_json()["facts"]
    assert rows(facts["seeds"]) == rows(expected["seeds"])
    assert rows(facts["extra_runs"]) == rows(expected.get("extra_runs", []))
    assert facts["mean_val_bpb"] == pytest.approx(expected["mean_val_bpb"], abs=1e-8)
    assert report.verdict in ("PASS", "WARN", "FAIL", "UNKNOWN")
