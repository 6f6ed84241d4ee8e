"""Run a stranger's command where it can do no harm: no network, nothing to read but what it is given, and limits.

Inside there is a read-only root with the system's libraries, this Python environment and the files that are given; a
scratch folder `WORK_DIR`, which outlives the run, and a small `/tmp`, which does not; a network of one loopback device;
processes of its own, of which none outlives the run. Namespaces of the kernel are the guard (`bwrap` where installed,
else `namespaces.py`). Limits are watched from outside, from /proc, because one of the kernel's on address space counts
what torch only reserves; processes the kernel limits as well, by `pids.py` or by RLIMIT_NPROC, which spares root.

Not covered: holes of the kernel, and devices such as GPUs, which are absent. `Outcome.refused` is a report of Python's
own audit events (`witness.py`) and no guard: what compiled code opens is refused too, but not told.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import IO

from toolkit.errors import GolfError
from toolkit.run.pids import bounded_group

WORK_DIR = Path("/sandbox")  # inside: where `writable` lies and the command starts
OUTPUT_BYTES = 4 << 20  # kept of each of stdout and stderr
_REPORT = Path("/golf/report")
_WITNESS = Path("/golf/sitecustomize.py")  # every Python imports this module when it starts
_POLL_SECONDS = 0.05
_LEEWAY, _OWN_PROCESSES = 2, 8  # the kernel refuses twice as many processes as stop a command, and a few of ours
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
)
_CPU_FACTS = ("/sys/devices/system/cpu", "/sys/devices/system/node")  # torch chooses its kernels by them
_MAX_REFUSED = 100
_FACTS = ("RssAnon", "RssShmem", "VmSwap", "Threads")  # of /proc/<pid>/status


@dataclass(frozen=True)
class Limits:
    """Of all processes of a command together; it is stopped when it goes beyond one."""

    memory_bytes: int  # anonymous and shared; also the most that it may write to files
    seconds: float
    processes: int  # threads count


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `stopped` is empty or the limit it ran into: memory, seconds, processes, files."""

    exit_code: int  # of the command; meaningless if it was stopped
    stdout: str
    stderr: str
    stopped: str
    refused: tuple[str, ...]  # files opened, written or listed outside of what was allowed, hosts that were called


@dataclass(frozen=True)
class Sandbox:
    """A way to shut a command in; `find_sandbox` gives one that works here."""

    kind: str  # bwrap, or user namespaces

    def run(
        self,
        command: list[str],  # absolute, or found in PATH inside
        readable: dict[Path, Path],  # files and folders: where they are -> where they appear inside
        writable: Path,  # folder that appears as WORK_DIR, in which the command starts
        env: dict[str, str],  # added to a minimal environment; nothing of ours is inherited
        limits: Limits,
    ) -> Outcome:
        """Run a command to its end or to a limit. Whatever is raised, none of its processes is left."""
        most = _LEEWAY * limits.processes + _OWN_PROCESSES
        with tempfile.TemporaryDirectory(prefix="golf-sandbox-") as scratch, bounded_group(most) as enter:
            room = _Room(Path(scratch), readable, writable, limits)
            launcher = room.bwrap_command() if self.kind == "bwrap" else room.namespaces_command()
            process = subprocess.Popen(
                [*enter, *launcher, *_resource_limit(most), *command],
                env=room.environment(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            assert process.stdout
            assert process.stderr
            streams = [_Captured(process.stdout), _Captured(process.stderr)]
            first = _First(process)
            try:
                with _ahead_of_others():
                    stopped = _watch(process, first, limits, [writable, room.scratch])
            finally:
                first.end()
                stdout, stderr = (stream.text() for stream in streams)
            return Outcome(process.returncode, stdout, stderr, stopped, room.refused())


def find_sandbox(kinds: tuple[str, ...] = ("bwrap", "user namespaces")) -> Sandbox:
    """The first kind that works here, which is tried out; `GolfError` with the reasons if none does."""
    reasons = []
    for kind in kinds:
        if kind == "bwrap" and not shutil.which("bwrap"):
            reasons.append("bwrap: not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="golf-sandbox-") as folder:
            # The limit of no process at all shows that the watch sees what is inside.
            command = [sys.executable, "-c", "import time; time.sleep(5)"]
            outcome = Sandbox(kind).run(command, {}, Path(folder), {}, Limits(1 << 30, 60, 0))
        if outcome.stopped == "processes":
            return Sandbox(kind)
        reasons.append(f"{kind}: {(outcome.stderr or 'its processes cannot be seen').strip().splitlines()[-1]}")
    raise GolfError(
        "sandbox: expected bwrap or user namespaces that work, found "
        + "; ".join(reasons)
        + "; install bubblewrap, or run where unprivileged user namespaces are allowed"
    )


def _resource_limit(most: int) -> list[str]:
    """A prefix of the command under which the kernel refuses more processes. It would not bind root.

    Since Linux 5.14 it counts the processes of a user namespace and not all of its user's.
    """
    kernel = tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    if os.geteuid() == 0 or kernel < (5, 14) or not shutil.which("prlimit"):
        return []
    return ["prlimit", f"--nproc={most}"]


@dataclass(frozen=True)
class _Room:
    """The file system inside, and the command lines that lay it out."""

    scratch: Path
    readable: dict[Path, Path]
    writable: Path
    limits: Limits

    @property
    def report(self) -> Path:
        return self.scratch / "report"

    def binds(self) -> dict[str, str]:
        """Inside -> outside of all that can only be read."""
        environment = [sys.prefix, sys.base_prefix, *(path for path in sys.path if path.endswith("-packages"))]
        same = dict.fromkeys(path for path in (*_SYSTEM, *_CPU_FACTS, *environment) if os.path.exists(path))
        given = {str(inside): str(path.resolve()) for path, inside in self.readable.items()}
        return {path: path for path in same} | given | {str(_WITNESS): str(Path(__file__).with_name("witness.py"))}

    def bwrap_command(self) -> list[str]:
        self.report.touch()
        size = str(self.limits.memory_bytes // 4)
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--uid", "65534", "--gid", "65534"]
        command += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/dev/shm"]
        command += ["--size", size, "--tmpfs", "/tmp"]
        for inside, outside in self.binds().items():
            command += ["--ro-bind", outside, inside]
        command += ["--bind", str(self.report), str(_REPORT), "--bind", str(self.writable.resolve()), str(WORK_DIR)]
        for path in ("/proc", "/dev", "/"):  # whoever is root outside owns the kernel's settings in /proc
            command += ["--remount-ro", path]
        return [*command, "--chdir", str(WORK_DIR), "--"]

    def namespaces_command(self) -> list[str]:
        self.report.touch()
        (self.scratch / "root").mkdir()
        spec = {
            "root": str(self.scratch / "root"),
            "readable": self.binds(),
            "writable": {str(_REPORT): str(self.report), str(WORK_DIR): str(self.writable.resolve())},
            "tmpfs_bytes": self.limits.memory_bytes // 4,
            "start": str(WORK_DIR),
        }
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("namespaces.py")), json.dumps(spec)]

    def environment(self, given: dict[str, str]) -> dict[str, str]:
        visible = [*self.binds(), str(WORK_DIR), str(_REPORT), "/proc", "/sys"]
        minimal = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": "/tmp",
            "USER": "sandbox",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GOLF_REPORT": str(_REPORT),
            "GOLF_VISIBLE": os.pathsep.join(visible),
            "GOLF_WRITABLE": os.pathsep.join([str(WORK_DIR), str(_REPORT), "/tmp", "/dev", "/proc"]),
        }
        witness = str(_WITNESS.parent)
        return minimal | given | {"PYTHONPATH": os.pathsep.join(filter(None, [witness, given.get("PYTHONPATH")]))}

    def refused(self) -> tuple[str, ...]:
        with self.report.open(encoding="utf-8", errors="replace") as file:
            return tuple(dict.fromkeys(file.read(OUTPUT_BYTES).splitlines()))[:_MAX_REFUSED]


class _First:
    """The first process inside, child of the launcher. Its /proc lists all that are inside and no other."""

    def __init__(self, launcher: subprocess.Popen[bytes]) -> None:
        self.launcher = launcher
        self.pid = 0
        self.proc: Path | None = None

    def processes(self) -> list[Path]:
        """Files `status` of all processes inside; none as long as it is being furnished. Quick, whatever goes on."""
        with contextlib.suppress(OSError):
            if not self.pid:
                self.pid = int(Path(f"/proc/{self.launcher.pid}/task/{self.launcher.pid}/children").read_text() or 0)
            if not self.proc:
                proc = Path(f"/proc/{self.pid}/root/proc")
                self.proc = proc if self.pid and proc.stat().st_dev != os.stat("/proc").st_dev else None
            if self.proc:
                return [self.proc / name / "status" for name in os.listdir(self.proc) if name.isdigit()]
        return []

    def end(self) -> None:
        """Kill it, and by the kernel's rule all others inside die with it."""
        self.processes()
        if self.pid and self.launcher.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.launcher.kill()
        self.launcher.wait()


@dataclass
class _Captured:
    """Reads a stream to its end, so that its writer never waits, and keeps the beginning."""

    stream: IO[bytes]
    kept: bytearray = field(default_factory=bytearray)
    left_out: int = 0

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        while chunk := self.stream.read1(1 << 16):  # type: ignore[attr-defined]
            room = OUTPUT_BYTES - len(self.kept)
            self.kept += chunk[:room]
            self.left_out += max(0, len(chunk) - room)

    def text(self) -> str:
        self.thread.join()
        self.stream.close()
        rest = f"\n... and {self.left_out} bytes more\n" if self.left_out else ""
        return self.kept.decode("utf-8", "replace") + rest


def _watch(process: subprocess.Popen[bytes], first: _First, limits: Limits, written: list[Path]) -> str:
    """Wait for the end of a launcher; the limit that what is inside goes beyond, or nothing."""
    deadline = time.monotonic() + limits.seconds
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return ""
        if time.monotonic() > deadline:
            return "seconds"
        processes = first.processes()
        if len(processes) > limits.processes:  # before so many are read one by one
            return "processes"
        facts = [_memory_and_threads(status) for status in processes]
        if sum(memory_bytes for memory_bytes, _ in facts) > limits.memory_bytes:
            return "memory"
        if sum(threads for _, threads in facts) > limits.processes:
            return "processes"
        if any(total > limits.memory_bytes for total in accumulate(_sizes(written))):
            return "files"


@contextlib.contextmanager
def _ahead_of_others() -> Iterator[None]:
    """Let nothing keep this thread from the processor, not even a fork bomb; only root may ask for this."""
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    try:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, -20)
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, thread, before)


def _memory_and_threads(status: Path) -> tuple[int, int]:
    """Bytes that are its own or shared memory, swapped out or not, and the number of threads; 0 of one that is gone."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0, 0
    fields = (line.partition(":") for line in lines)
    facts = {name: int(value.split()[0]) for name, _, value in fields if name in _FACTS}
    threads = facts.pop("Threads", 0)
    return 1024 * sum(facts.values()), threads


def _sizes(folders: list[Path]) -> Iterator[int]:
    """Bytes on the disk of all that lies below some folders, at least a block for each file and folder."""
    stack = [str(folder) for folder in folders]
    while stack:
        with contextlib.suppress(OSError), os.scandir(stack.pop()) as entries:
            for entry in entries:
                yield max(4096, 512 * entry.stat(follow_symlinks=False).st_blocks)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
