"""`golf demo`: its options and its closing table. The whole way is `make demo`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.log import bits_per_byte, final_nats
from toolkit.cli.demo import command, print_results


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--seeds", "1,1"], "expected distinct numbers joined by commas, found '1,1'"),
        (["--seeds", "one"], "expected distinct numbers joined by commas, found 'one'"),
        (["--wallclock", "-1"], "--wallclock"),
    ],
)
def test_wrong_usage(arguments: list[str], expected: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [*arguments, "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert expected in result.output
    assert list(tmp_path.iterdir()) == []


def test_closing_table_has_every_figure(stand_in_runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    print_results(stand_in_runs)
    out = capsys.readouterr().out
    for title in ("code", "model", "total", "left", "steps", "train s", "eval s", "float", "sliding", "ppm trie"):
        assert title in out
    for row in ("42", "1,001,337", "812", "59.1", "4.5", f"{bits_per_byte(final_nats(1337)):.4f}", "mean", "std"):
        assert row in out
