"""Ending what was started: process trees, time limits, termination signals. Knows nothing of training."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0


def available_cores() -> int:
    """Cores this process may use; a container often has fewer than its machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def ending(process: subprocess.Popen[str], timeout_seconds: float | None) -> Iterator[threading.Event]:
    """End a process and all it started when the block raises or takes longer than the timeout (None: never).

    The process must have been started in its own session. Yields a flag that tells whether the timeout struck.
    """
    timed_out = threading.Event()

    def strike() -> None:
        timed_out.set()
        end_tree(process)

    timer = threading.Timer(timeout_seconds or threading.TIMEOUT_MAX, strike)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
        process.wait()
    finally:
        timer.cancel()
        end_tree(process)


def end_tree(process: subprocess.Popen[str]) -> None:
    """Interrupt a process, then kill whatever of its tree is left after a grace period.

    Killing its group would not do: torchrun gives every rank a session of its own.
    """
    if process.poll() is not None:
        return
    descendants = _descendants(process.pid)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        descendants += _descendants(process.pid)  # what began meanwhile
        process.kill()
    finally:  # also when a second Ctrl-C ends the wait
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def interrupt_on_termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the block like Ctrl-C, so that it can clean up; main thread only."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _descendants(pid: int) -> list[int]:
    """Children of a process and theirs, as far as /proc tells; empty where there is none."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for parent in found:  # grows while it is walked
        found += children.get(parent, [])
    return found[1:]
