"""What `bench mix` sorts its figures by, against slow definitions."""

from pathlib import Path

import numpy as np
import pytest

from bench.mix import text as texts
from bench.mix.figure import match_lengths, write_figure
from bench.mix.text import cut_documents, repeats, target_regions


def random_text(seed: int, length: int) -> bytes:
    """Words of few letters, so that much of it comes again."""
    rng = np.random.default_rng(seed)
    return b"".join(rng.choice([b"ab", b"ba", b"abc ", b"c", b"\n"], length).tolist())


def test_documents_end_with_a_paragraph_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "DOCUMENT_BYTES", 10)
    text = "one line\n\ntwo\nlines of text\n\nthree\n\nthe end of all of it"
    documents = cut_documents(text)
    assert documents == ["one line\n\ntwo\nlines of text\n\n", "three\n\nthe end of all of it"]


def test_repeats_are_those_of_training_and_of_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "REPEAT_BYTES", 5)
    train, val = random_text(0, 30), random_text(1, 300)
    expected = np.zeros(len(val), bool)
    for i in range(len(val) - 4):
        if val[i : i + 5] in train or val.find(val[i : i + 5]) < i:
            expected[i : i + 5] = True
    found = repeats(train, val)
    assert 0 < found.sum() < len(val)
    assert (found == expected).all()


def test_a_target_with_a_repeated_byte_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "REPEAT_BYTES", 4)
    regions = target_regions(b"abcd", b"xyzabcdefg", np.array([0, 2, 2, 3, 1, 2]))
    assert regions["no repeats"].tolist() == [True, True, False, False, True, True]


def test_match_lengths_are_those_of_the_most_recent_place() -> None:
    text = random_text(2, 400)
    found = match_lengths(text)
    for i in range(6, len(text)):
        places = [j for j in range(6, i) if text[j - 6 : j] == text[i - 6 : i]]
        expected = 0
        if places:
            j = places[-1]
            expected = next((n for n in range(6, 65) if n == j or text[j - n - 1] != text[i - n - 1]), 64)
        assert found[i] == min(expected, 64)


def test_the_figure_has_both_curves_and_a_bar_for_each_length(tmp_path: Path) -> None:
    text = random_text(3, 40_000)
    nats = np.full(len(text), 1.5)
    write_figure(tmp_path / "mix.svg", nats, 0.9 * nats, np.ones(len(text), np.int64), text)
    svg = (tmp_path / "mix.svg").read_text()
    assert svg.count("<polyline") == 2
    assert "network 2.1640" in svg
    assert "mixture 1.9476" in svg
    assert svg.count(">10.0<") >= 4  # lengths that occur
