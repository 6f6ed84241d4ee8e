"""A limit of the kernel's on the number of processes: a control group, where we may make one, as root usually may.

`RLIMIT_NPROC` binds everybody but root, and a group binds root too.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "golf-sandbox-"
_REMOVAL_SECONDS = 30.0
_ENTER = 'echo $$ > "$0" && exec "$@"'


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
        yield ["sh", "-c", _ENTER, str(group / "cgroup.procs")]
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
    """An empty group with a limit to set, or nothing and no trace. Its name tells whose it is."""
    for group in place.glob(f"{_PREFIX}*"):
        if not Path("/proc", group.name.split("-")[2]).exists():  # killed before it could remove it
            with contextlib.suppress(OSError):
                group.rmdir()
    with contextlib.suppress(OSError):
        group = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
        if os.access(group / "pids.max", os.W_OK) and os.access(group / "cgroup.procs", os.W_OK):
            return group
        group.rmdir()
    return None


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
