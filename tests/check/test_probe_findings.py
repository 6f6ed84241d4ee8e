"""What `golf check` makes of a build's or record's probe.json."""

import hashlib
import json
from typing import Any

import pytest

from tests.support.folders import Folder
from toolkit.check.evidence.probes import NAMES, missing_probes, read_findings

FINDING = {
    "rule": "C2-NORMALIZED",
    "outcome": "PASS",
    "where": "kraft probe, int6 ppm trie",
    "expected": "a sum of 1",
    "found": "one",
    "evidence": "`golf probe demo kraft`",
}


def put(folder: Folder, bundle_sha256: str | None = None, **changes: Any) -> None:
    """Write a file of one finding for the folder's script or another one."""
    digest = bundle_sha256 or hashlib.sha256((folder.path / "train_gpt.py").read_bytes()).hexdigest()
    probes = {"kraft": {"command": "golf probe demo kraft", "seconds": 1.0, "findings": [FINDING | changes]}}
    content = {"schema_version": 1, "bundle_sha256": digest, "probes": probes}
    (folder.path / "probe.json").write_text(json.dumps(content))


def of_probes(folder: Folder) -> list[Any]:
    return [finding for finding in folder.check().findings if finding.where.startswith("probe.json")]


@pytest.mark.parametrize("outcome", ["PASS", "FAIL", "UNKNOWN"])
def test_an_outcome_is_a_finding_that_names_its_command(record: Folder, outcome: str) -> None:
    put(record, outcome=outcome)
    (finding,) = of_probes(record)
    assert (finding.rule, finding.outcome, finding.level) == ("C2-NORMALIZED", outcome, "")
    assert finding.where == "probe.json kraft probe, int6 ppm trie"
    assert finding.evidence == "`golf probe demo kraft`"
    assert finding.references
    assert record.check().passed == (outcome == "PASS")


def test_a_probe_of_another_script_proves_nothing(record: Folder) -> None:
    put(record, bundle_sha256="0" * 64)
    (finding,) = of_probes(record)
    assert finding.outcome == "UNKNOWN"
    assert "another script (000000000000)" in finding.found


def test_without_a_file_nothing_is_said(record: Folder) -> None:
    assert not of_probes(record)


def test_an_outcome_of_a_strangers_own_is_unknown(record: Folder) -> None:
    put(record, outcome="SPLENDID", found="\x1b[2J" + "x" * 1000)
    (finding,) = of_probes(record)
    assert finding.outcome == "UNKNOWN"
    assert len(finding.found) <= 300


def test_unknown_rules_are_left_out(record: Folder) -> None:
    put(record, rule="NO-SUCH-RULE")
    assert not of_probes(record)


@pytest.mark.parametrize(
    "content", ["[]", "7", '{"probes": 3}', '{"probes": {"kraft": []}}', '{"probes": {"kraft": {"findings": {}}}}']
)
def test_what_is_no_such_file_is_no_error(record: Folder, content: str) -> None:
    (record.path / "probe.json").write_text(content)
    assert not of_probes(record)


def test_a_damaged_file_is_evidence_that_is_missing(record: Folder) -> None:
    (record.path / "probe.json").write_text("{")
    (finding,) = of_probes(record)
    assert finding.outcome == "UNKNOWN"


def test_missing_probes() -> None:
    content = {"bundle_sha256": "a", "probes": {"kraft": {}, "repeat": {}}}
    assert missing_probes(content, "a") == [name for name in NAMES if name not in ("kraft", "repeat")]
    assert missing_probes(content, "b") == missing_probes({}, "a") == list(NAMES)
    assert not list(read_findings({}))
