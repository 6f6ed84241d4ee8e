"""A limit on the number of processes, held by the kernel: a control group, where we may make one, as root usually may.

`RLIMIT_NPROC` binds everybody but root, and a group binds root too.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

_PREFIX = "golf-sandbox-"
_REMOVAL_SECONDS = 30.0


@contextlib.contextmanager
def bounded_group(most: int) -> Iterator[list[str]]:
    """A prefix of a command that keeps it and all it starts below a number of processes; empty where none can be made.

    Threads count. In the end it waits until the last of them is gone.
    """
    group = next(filter(None, map(_make_group, _places())), None)
    if group is None:
        yield []
        return
    try:
        (group / "pids.max").write_text(str(most))
        yield _enter(group)
    finally:
        _remove(group)


def _places(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> Iterator[Path]:
    """Folders of control groups below which a group with `pids.max` may be made: version 1, then version 2."""
    with contextlib.suppress(OSError):
        for line in Path(own).read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            folder = Path(root, "pids" if controllers else "", path.lstrip("/"))
            if "pids" in controllers.split(",") or not controllers:
                yield folder
                if path != "/":  # a group of version 2 that holds processes has no limited groups below it
                    yield folder.parent


def _make_group(place: Path) -> Path | None:
    """An empty group that has a limit and can be entered, or nothing and no trace. Its name tells whose it is."""
    for group in place.glob(f"{_PREFIX}*"):
        if not Path("/proc", group.name.split("-")[2]).exists():  # killed before it could remove it
            with contextlib.suppress(OSError):
                group.rmdir()
    with contextlib.suppress(OSError):
        group = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
        if (group / "pids.max").exists() and not subprocess.run([*_enter(group), "true"], stderr=DEVNULL).returncode:
            return group
        _remove(group)
    return None


def _enter(group: Path) -> list[str]:
    return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]


def _remove(group: Path) -> None:
    """As soon as it is empty; processes that are being killed still take their time."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
