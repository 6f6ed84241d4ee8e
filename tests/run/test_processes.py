"""Ending process trees whose members have sessions of their own, as the ranks of torchrun have."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.run import processes
from toolkit.run.processes import ending

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""
SLEEPER = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"


def start(child: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"CHILD = {child!r}\n{PARENT}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def is_alive(pid: int) -> bool:
    for _ in range(50):  # a killed process lingers until its parent has seen it
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("child", [SLEEPER, DEAF])
def test_exception_ends_the_whole_tree(child: str) -> None:
    process, pid = start(child)
    with pytest.raises(ZeroDivisionError), process, ending(process, None):
        raise ZeroDivisionError
    assert process.poll() is not None
    assert not is_alive(pid)


def test_timeout_ends_the_whole_tree_and_is_told() -> None:
    process, pid = start(SLEEPER)
    with process, ending(process, 0.2) as timed_out:
        assert process.stdout is not None
        assert process.stdout.read() == ""  # ends only when all writers have gone
    assert timed_out.is_set()
    assert not is_alive(pid)


def test_children_that_begin_while_it_ends_are_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a parent that is deaf to the interrupt."""
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 3.0)
    late = (
        f"import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(1)\n{PARENT}"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"CHILD = {SLEEPER!r}\n{late}"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # from here on it is deaf
    with process, ending(process, 0.1):
        pid = int(process.stdout.readline())
    assert not is_alive(pid)


def test_a_process_that_ends_by_itself_is_left_alone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True, text=True)
    with process, ending(process, 60) as timed_out:
        pass
    assert process.returncode == 0
    assert not timed_out.is_set()
