"""The record that is committed as an example, one run of the demo, is in order."""

from pathlib import Path

from toolkit.check import check_path

RECORDS = Path(__file__).parents[2] / "records"


def test_the_example_passes() -> None:
    (example,) = [path.parent for path in RECORDS.glob("track_*/*Example/submission.json")]
    report = check_path(example)
    assert report.verdict == "PASS"
    assert not list(example.glob("*.ptz"))
