"""Tables of a leaderboard, and the score to beat."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.folders import Folder
from toolkit.check.statistics.leaderboard import bar_to_beat, parse_leaderboard, read_document
from toolkit.check.statistics.read_baseline import read_baseline
from toolkit.cli.leaderboard import command
from toolkit.errors import GolfError

TEXT = """# Golf

| unrelated | table |
|---|---|
| 0.1 | x |

## Leaderboard

| Run | Score | Author | Summary | Date | Info |
|-----|------:|--------|---------|------|------|
| Gates \\| more | 1.08 | ann | On [x](http://x) | 2026-04-09 | [info](records/a/README.md), [repro](http://y) |
| 4k length| **1.2014** | Bob B | text | 2026-03-19 | [info](records/b/README.md) |
| a broken row |
| no score | soon | eve | text | 2026-03-19 | |

#### Unlimited Compute Leaderboard & Non-record Submissions

| Run | Score | Author | Summary | Date | Info |
|-----|------:|--------|---------|------|------|
| Long | 1.01 | cid | text | 2026-04-01 | |
"""


def test_rows() -> None:
    first, second, third = parse_leaderboard(TEXT)
    assert (first.run, first.val_bpb, first.author, first.date) == ("Gates \\| more", 1.08, "ann", "2026-04-09")
    assert first.links == ("http://x", "records/a/README.md", "http://y")
    assert (second.run, second.val_bpb, second.line) == ("4k length", 1.2014, 12)
    assert third.section == "Unlimited Compute Leaderboard & Non-record Submissions"


def test_the_bar_is_the_best_record() -> None:
    assert bar_to_beat(parse_leaderboard(TEXT)).author == "ann"
    with pytest.raises(GolfError, match="expected a table with the columns Run, Score"):
        bar_to_beat(parse_leaderboard("# nothing\n"))


def test_a_leaderboard_is_a_baseline(tmp_path: Path, leaderboard: Folder) -> None:
    path = tmp_path / "README.md"
    path.write_text(TEXT.replace("1.08 ", "1.80 "))
    baseline = read_baseline(str(path))
    assert baseline.val_bpb == (1.2014,)
    assert leaderboard.outcomes("SIGNIFICANCE", baseline) == {"FAIL"}


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(TEXT.replace("ann", "a\x1b[2Jn"))
    result = CliRunner().invoke(command, [str(path)])
    assert result.output.splitlines()[-1] == "to beat: 1.08 (Gates \\| more, a\\x1b[2Jn, 2026-04-09)"
    content = json.loads(CliRunner().invoke(command, [str(path), "--json"]).output)
    assert [row["val_bpb"] for row in content["rows"]] == [1.08, 1.2014, 1.01]
    assert content["bar"]["links"][1] == "records/a/README.md"


def test_what_is_no_document_is_one_line(tmp_path: Path) -> None:
    for spec in ("nowhere.md", f"{tmp_path}@HEAD", "x@y"):
        with pytest.raises(GolfError):
            read_document(spec)
