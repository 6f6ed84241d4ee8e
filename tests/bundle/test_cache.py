"""Kept results: found again by content, and never trusted when damaged."""

from functools import partial
from pathlib import Path

import pytest

from toolkit.bundle.pack import cache
from toolkit.bundle.pack.cache import cached


def refuse() -> str:
    raise AssertionError("made again")


def test_equal_keys_share_a_result_and_others_do_not(cold_cache: Path) -> None:
    assert cached(["a", "b"], lambda: "é\nfirst") == "é\nfirst"
    assert cached(["a", "b"], refuse) == "é\nfirst"
    assert cached(["ab", ""], lambda: "second") == "second"


@pytest.mark.parametrize("damage", [b"", b"no digest", b"0" * 64 + b"\nfirst", b"\xff\n"])
def test_damaged_entry_counts_as_none(cold_cache: Path, damage: bytes) -> None:
    cached(["key"], lambda: "first")
    (entry,) = (cold_cache / "golf-toolkit").iterdir()
    entry.write_bytes(damage)
    assert cached(["key"], lambda: "second") == "second"
    assert cached(["key"], refuse) == "second"


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cached(["key"], lambda: "one") == "one"
    assert cached(["key"], lambda: "two") == "two"


def test_error_keeps_nothing(cold_cache: Path) -> None:
    with pytest.raises(AssertionError):
        cached(["key"], refuse)
    assert cached(["key"], lambda: "made") == "made"


def test_other_versions_have_other_entries(cold_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(["key"], lambda: "old")
    monkeypatch.setattr(cache, "environment_digest", lambda: "new source")
    assert cached(["key"], lambda: "new") == "new"


@pytest.mark.parametrize("name", ["bundle/pack.py", "bundle/rewrite/fold.py", "components/settings/model.py", "new.py"])
def test_an_edit_in_any_folder_makes_results_stale(
    cold_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(cache, "SOURCE_DIR", tmp_path)
    monkeypatch.setattr(cache, "environment_digest", cache.environment_digest.__wrapped__)
    cached(["key"], lambda: "old")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("EDITED = True\n")
    assert cached(["key"], lambda: "new") == "new"
    assert cached(["key"], refuse) == "new"


def test_oldest_entries_go(cold_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MAX_ENTRIES", 3)
    for name in "abcde":
        cached([name], partial(str, name))
    assert len(list((cold_cache / "golf-toolkit").iterdir())) == 3
