"""Launching: what a run leaves behind when it finishes, fails, hangs or is interrupted. Real torchrun throughout."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from toolkit.errors import GolfError
from toolkit.run.launch import data_environment, launch, own_error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_finished_run_is_complete_and_not_repeated(stand_in_build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    lines: list[str] = []
    run = launch(stand_in_build, 42, nproc=2, on_line=lines.append)
    assert names(run) == ["final_model.ptz", "run.json", "train_seed42.log"]
    assert names(run.parent) == ["seed42"]
    log = (run / "train_seed42.log").read_text().splitlines()
    assert set(log) <= set(lines)
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert {"  seed: 42", "  world_size: 2", "  run_dir: runs/seed42.partial", f"  threads: {threads}"} <= set(log)
    facts = json.loads((run / "run.json").read_text())
    assert facts["bundle_sha256"] == hashlib.sha256((stand_in_build / "train_gpt.py").read_bytes()).hexdigest()
    assert facts["hardware"] == "a stand-in with 2 threads"
    assert facts["exit_code"] == 0
    assert facts["environment"] == {}
    assert "--nproc_per_node=2" in facts["command"]
    repeated: list[str] = []
    assert launch(stand_in_build, 42, nproc=2, on_line=repeated.append) == run
    assert repeated == []


def test_failed_run_shows_the_script_s_line_and_keeps_its_output(stand_in_build: Path) -> None:
    with pytest.raises(GolfError) as caught:
        launch(stand_in_build, 7, env={"STAND_IN": "fail"})
    assert "seed 7 failed: error: data/datasets: expected shards" in str(caught.value)
    assert "\n" not in str(caught.value)
    runs = stand_in_build / "runs"
    assert names(runs) == ["seed7.failed"]
    assert "fineweb_train_*.bin, found none" in (runs / "seed7.failed" / "output.txt").read_text()
    launch(stand_in_build, 7)  # the next attempt replaces it
    assert names(runs) == ["seed7"]


def test_overrides_decide_whether_a_run_is_the_same(stand_in_build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[str] = []
    launch(stand_in_build, 1, env={"ITERATIONS": "5"}, on_line=first.append)
    monkeypatch.setenv("ITERATIONS", "6")  # an exported variable reaches the script, so it counts as well
    second: list[str] = []
    run = launch(stand_in_build, 1, on_line=second.append)
    assert first
    assert second
    assert json.loads((run / "run.json").read_text())["environment"] == {"ITERATIONS": "6"}
    assert names(run.parent) == ["seed1"]


def test_timeout_is_a_failure(stand_in_build: Path) -> None:
    with pytest.raises(GolfError, match=r"seed 1 failed: it took more than 0.3 s"):
        launch(stand_in_build, 1, env={"STAND_IN": "hang"}, timeout_seconds=0.3)
    assert names(stand_in_build / "runs") == ["seed1.failed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(stand_in_build: Path, number: int) -> None:
    def interrupt(line: str) -> None:
        if line == "waiting":
            os.kill(os.getpid(), number)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start what runs behind without it
    try:
        with pytest.raises(KeyboardInterrupt):
            launch(stand_in_build, 1, env={"STAND_IN": "hang"}, on_line=interrupt)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert names(stand_in_build / "runs") == []


def test_bad_calls_are_one_line(stand_in_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GolfError, match=r"expected a build with train_gpt.py.*golf build"):
        launch(tmp_path, 1)
    with pytest.raises(GolfError, match="SEED: expected a variable that the launch leaves free"):
        launch(stand_in_build, 1, env={"SEED": "2"})
    with pytest.raises(GolfError, match="did you mean ITERATIONS"):
        launch(stand_in_build, 1, env={"ITERATION": "2"})
    monkeypatch.setattr("toolkit.run.launch.PACKAGES", ("numpy", "never-heard-of"))
    with pytest.raises(GolfError, match="never-heard-of: training needs it and it is not installed"):
        launch(stand_in_build, 1)
    assert not (stand_in_build / "runs").exists()


def test_data_environment_names_no_home_folder(stand_in_build: Path, tmp_path: Path) -> None:
    environment = data_environment(stand_in_build, tmp_path / "data")
    assert environment == {
        "DATA_PATH": "../../data/datasets/demo_sp1024",
        "TOKENIZER_PATH": "../../data/tokenizers/demo_1024_bpe.model",
    }


BANNER = "W1121 10:03:10.000000 91 torch/distributed/run.py:851] "
FAILURE = "E1121 10:03:12.809000 91 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: {})"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["step", "error: no shards", FAILURE.format(1), "Traceback", "ChildFailedError"], "error: no shards"),
        ([BANNER, "[rank1]: ValueError: x", "", BANNER, FAILURE.format(1)], "ValueError: x"),
        (
            ["warmup_step: 1/2", FAILURE.format(-9)],
            "signal 9 killed it (9: often no memory left) after: warmup_step: 1/2",
        ),
        ([FAILURE.format(1)], "it printed nothing"),
    ],
)
def test_own_error_is_what_the_script_said_last(lines: list[str], expected: str) -> None:
    assert own_error(lines) == expected
