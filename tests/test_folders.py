"""Files and folders in one step, whatever interrupts it, and the names that scripts and toolkit share."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from toolkit.components.setup.environment import read_environment
from toolkit.folders import (
    ARTIFACT_NAME,
    DATA_DIR,
    build_of,
    dataset_folder,
    log_name,
    put_in_place,
    record_folder,
    run_folder,
    run_id,
    seed_of,
    tokenizer_path,
    write_atomically,
    write_files,
)
from toolkit.recipe import load_recipe
from toolkit.run.launch import OURS, OVERRIDES


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_written_over_another_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "Δ\n")
    assert path.read_bytes() == "Δ\n".encode()
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
    assert sorted(content(tmp_path)) == ["file", "plain"]


@pytest.mark.parametrize("name", ["os.fsync", "os.replace"])
def test_an_interrupted_write_leaves_the_old_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "file", "old")
    monkeypatch.setattr(name, Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", "new")
    assert content(tmp_path) == {"file": "old"}


def test_of_several_files_none_is_replaced_before_all_are_written(tmp_path: Path) -> None:
    write_files({tmp_path / "a": "old", tmp_path / "b": "old"})
    with pytest.raises(FileNotFoundError):
        write_files({tmp_path / "a": "new", tmp_path / "missing" / "b": "new"})
    assert content(tmp_path) == {"a": "old", "b": "old"}


def test_files_are_replaced_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    replace = os.replace

    def spy(source: Path, target: Path) -> None:
        seen.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    write_files({tmp_path / name: "" for name in ("z", "a", "m")})
    assert seen == ["z", "a", "m"]


def make_file(path: Path, text: str) -> None:
    path.write_text(text)


def make_folder(path: Path, text: str) -> None:
    path.mkdir()
    (path / f"of the {text} one").write_text(text)


@pytest.mark.parametrize("make", [make_file, make_folder])
@pytest.mark.parametrize("replaces", [False, True])
def test_what_is_put_in_place_is_all_that_is_there(
    make: Callable[[Path, str], None], replaces: bool, tmp_path: Path
) -> None:
    if replaces:
        make(tmp_path / "target", "old")
    make(tmp_path / "source", "new")
    put_in_place(tmp_path / "source", tmp_path / "target")
    assert list(content(tmp_path).values()) == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_old_folder_comes_back_when_the_new_one_fails(tmp_path: Path) -> None:
    make_folder(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "source", tmp_path / "target")
    assert content(tmp_path) == {"target/of the old one": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_run_knows_its_seed_and_its_build() -> None:
    run = run_folder(Path("build/demo"), 42)
    assert (run, seed_of(run), build_of(run)) == (Path("build/demo/runs/seed42"), 42, Path("build/demo"))
    assert seed_of(run.with_suffix(".failed")) is None


def test_records_lie_under_their_track() -> None:
    assert record_folder("10min_16mb", "2026-05-02", "A/B: (x)") == Path("track_10min_16mb/2026-05-02_A_B_x")
    for track in ("non-record-16mb", "non-record-unlimited-compute-16mb"):
        assert record_folder(track, "2026-05-02", "Demo") == Path("track_non_record_16mb/2026-05-02_Demo")


def test_scripts_name_their_files_as_the_toolkit_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components become scripts that stand alone, so they have these names a second time."""
    for name in (*OVERRIDES, *OURS):
        monkeypatch.delenv(name, raising=False)
    cfg = load_recipe("demo")
    env = read_environment(cfg)
    assert env.run_id == run_id(cfg.train.seed)
    assert env.log_path == Path(log_name(cfg.train.seed))
    assert env.artifact_path == Path(ARTIFACT_NAME)
    assert env.data_path == dataset_folder(DATA_DIR, cfg.data.dataset)
    assert env.tokenizer_path == tokenizer_path(DATA_DIR, cfg.data.tokenizer)
