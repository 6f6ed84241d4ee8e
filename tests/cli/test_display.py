"""Progress on a terminal and elsewhere."""

import pytest

from toolkit.cli.display import Display


def show_some() -> None:
    with Display() as display:
        for step in range(50):
            display.show("seed 42", f"step {step}, loss 4.5", step / 100)
        display.show("seed 42", "int6 roundtrip: 2.1 BPB", 0.9)
        display.show("seed 42", "int6 sliding window: 2.0 BPB", 1.0)


def test_plain_lines_are_few_and_uncoloured(capsys: pytest.CaptureFixture[str]) -> None:
    show_some()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "seed 42: step 0, loss 4.5",
        "seed 42: int6 roundtrip: 2.1 BPB",
        "seed 42: int6 sliding window: 2.0 BPB",
    ]


def test_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    show_some()
    shown = capsys.readouterr().err
    assert "seed 42" in shown
    assert "━" in shown
    assert "int6 sliding window: 2.0 BPB" in shown
