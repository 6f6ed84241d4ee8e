"""Baselines from numbers, submission files and folders; comparison by what the same text costs."""

import json
import math
from pathlib import Path

import pytest

from tests.support.folders import Folder
from toolkit.check.statistics.read_baseline import read_baseline
from toolkit.check.subject.baseline import Baseline
from toolkit.errors import GolfError


def test_numbers(tmp_path: Path) -> None:
    assert read_baseline("1.0810, 1.0812") == Baseline("1.0810, 1.0812", (1.0810, 1.0812))


def test_a_record_folder_gives_its_logs(record: Folder) -> None:
    baseline = read_baseline(str(record.path))
    assert baseline.seeds == (1337, 2025, 42)
    facts = record.check().facts
    assert baseline.val_bpb == tuple(entry["val_bpb"] for entry in facts["seeds"])


def test_a_submission_file_gives_its_claims(tmp_path: Path) -> None:
    path = tmp_path / "submission.json"
    path.write_text(json.dumps({"val_bpb": 1.5}))
    assert read_baseline(str(path)) == Baseline("submission.json", (1.5,))
    path.write_text(json.dumps({"val_bpb": 1.5, "seed_results": {"7": {"val_bpb": 1.4}, "8": {"val_bpb": 1.6}}}))
    assert read_baseline(str(path)) == Baseline("submission.json", (1.4, 1.6), (7, 8))


@pytest.mark.parametrize("text", ["1.2.3", "nowhere", ","])
def test_bad_baselines_say_what_is_expected(text: str) -> None:
    with pytest.raises(GolfError, match="scores: expected"):
        read_baseline(text)


def test_the_gain_is_in_nats_of_our_own_tokens(leaderboard: Folder) -> None:
    """One BPB of gain is ln 2 times the bytes of a token."""
    seeds = leaderboard.check().facts["seeds"]
    mean = sum(entry["val_bpb"] for entry in seeds) / len(seeds)
    report = leaderboard.check(Baseline("old", (mean + 1.0,)))
    (finding,) = [f for f in report.findings if f.rule == "SIGNIFICANCE"]
    assert finding.found.startswith(f"{math.log(2) * 2.436:+.5f} nats")


def test_a_baseline_of_the_same_seeds_is_paired(leaderboard: Folder) -> None:
    seeds = [(entry["seed"], entry["val_bpb"] + 0.01) for entry in leaderboard.check().facts["seeds"]]
    baseline = Baseline("old", tuple(bpb for _, bpb in seeds), tuple(seed for seed, _ in seeds))
    (finding,) = [f for f in leaderboard.check(baseline).findings if f.rule == "SIGNIFICANCE"]
    assert "paired" in finding.evidence
    assert finding.outcome == "PASS"


def test_one_seed_is_not_enough(leaderboard: Folder) -> None:
    for seed in (1337, 2025):
        (leaderboard.path / f"train_seed{seed}.log").unlink()
    assert leaderboard.outcomes("SIGNIFICANCE", Baseline("old", (1.8,))) == {"UNKNOWN"}
