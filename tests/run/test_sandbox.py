"""Hostile commands are stopped, and nothing of them is left. Every script gives up by itself after a bounded harm."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import pytest

from toolkit.errors import GolfError
from toolkit.run import pids, sandbox
from toolkit.run.pids import bounded_group
from toolkit.run.sandbox import OUTPUT_BYTES, WORK_DIR, Limits, Outcome, Sandbox, find_sandbox

LIMITS = Limits(memory_bytes=512 << 20, seconds=60, processes=50)


@pytest.fixture(scope="module", params=["bwrap", "user namespaces"])
def here(request: pytest.FixtureRequest) -> Sandbox:
    try:
        return find_sandbox((request.param,))
    except GolfError as error:
        pytest.skip(str(error))


class Run(Protocol):
    def __call__(
        self, code: str, readable: dict[Path, Path] | None = None, limits: Limits = LIMITS, **env: str
    ) -> Outcome: ...


@pytest.fixture
def run(here: Sandbox, tmp_path: Path) -> Run:
    """Runs Python text in the sandbox; its folder is `tmp_path`/work."""
    (tmp_path / "work").mkdir()

    def run(code: str, readable: dict[Path, Path] | None = None, limits: Limits = LIMITS, **env: str) -> Outcome:
        return here.run([sys.executable, "-c", code], readable or {}, tmp_path / "work", env, limits)

    return run


def alive(mark: str) -> list[str]:
    """Command lines of all processes that hold a text."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if mark in line]


def test_a_command_has_its_files_its_output_and_its_exit_code(run: Run, tmp_path: Path) -> None:
    (tmp_path / "given.txt").write_text("given")
    code = "import sys; print(open('/in/given.txt').read()); open('made', 'w').write('x'); print('e', file=sys.stderr)"
    outcome = run(code + "; sys.exit(3)", {tmp_path / "given.txt": Path("/in/given.txt")})
    assert outcome == Outcome(3, "given\n", "e\n", "", ())
    assert (tmp_path / "work" / "made").read_text() == "x"


def test_environment_is_the_given_one_and_a_minimal_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "x")
    outcome = run("import os; print(os.environ.get('HOST_SECRET'), os.environ['SEED'], os.getcwd())", SEED="7")
    assert outcome.stdout == f"None 7 {WORK_DIR}\n"


def test_no_network(run: Run) -> None:
    """Neither a host outside nor a service of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = run(
            "import socket\n"
            f"for address in (('127.0.0.1', {port}), ('192.0.2.1', 80)):\n"
            "    try:\n"
            "        socket.create_connection(address, 5); print('connected')\n"
            "    except OSError as error:\n"
            "        print(error)\n"
        )
    assert outcome.stdout.splitlines() == ["[Errno 111] Connection refused", "[Errno 101] Network is unreachable"]
    assert outcome.refused == ("network: 192.0.2.1:80",)


def test_loopback_works(run: Run) -> None:
    outcome = run(
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(s.getsockname()); print('connected')"
    )
    assert outcome.stdout == "connected\n"


def test_a_training_shard_is_not_there_and_the_attempt_is_told(run: Run, tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / f"fineweb_{split}_000000.bin").write_bytes(b"tokens")
    val = tmp_path / "fineweb_val_000000.bin"
    shard = Path("/data/fineweb_train_000000.bin")
    outcome = run(
        f"for path in ('{shard}', '{tmp_path}/fineweb_train_000000.bin'):\n"
        "    try:\n        print(open(path, 'rb').read())\n"
        "    except OSError as error:\n        print(error.strerror)\n",
        {val: Path("/data") / val.name},
    )
    assert outcome.stdout == "No such file or directory\n" * 2
    assert outcome.refused == (f"read: {shard}", f"read: {tmp_path}/fineweb_train_000000.bin")


@pytest.mark.parametrize("path", ["/usr/written", "/written", "/in/given.txt", "/proc/sys/kernel/core_pattern", "{}/x"])
def test_writing_outside(run: Run, tmp_path: Path, path: str) -> None:
    given = tmp_path / "given.txt"
    given.write_text("given")
    outcome = run(f"open({path.format(tmp_path)!r}, 'w').write('harm')", {given: Path("/in/given.txt")})
    assert outcome.exit_code == 1
    assert "OSError: [Errno 30] Read-only file system" in outcome.stderr or "FileNotFoundError" in outcome.stderr
    assert given.read_text() == "given"
    assert sorted(os.listdir(tmp_path)) == ["given.txt", "work"]


def test_forking_endlessly(run: Run) -> None:
    """Doubling, up to 128 processes."""
    mark = f"bomb{time.monotonic_ns()}"
    outcome = run(
        f"import os, time  # {mark}\nprint('start', flush=True)\nfor _ in range(7):\n    os.fork()\ntime.sleep(30)"
    )
    assert (outcome.stopped, outcome.stdout) == ("processes", "start\n")
    assert alive(mark) == []


def test_the_kernel_alone_stops_forking(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 200 times, with nobody to watch: what outruns the watch does no harm either."""
    with bounded_group(10) as enter:
        if os.geteuid() == 0 and not enter:
            pytest.skip("root, who is bound by control groups alone, cannot make one here")

    def wait(process: subprocess.Popen[bytes], *_: object) -> str:
        process.wait(60)
        return ""

    monkeypatch.setattr(sandbox, "_watch", wait)
    code = (
        "import os, time\nfor made in range(200):\n    try:\n        child = os.fork()\n"
        "    except OSError as error:\n        print(made < 50, error.strerror)\n        break\n"
        "    if child == 0:\n        time.sleep(5)\n        os._exit(0)\n"
    )
    outcome = run(code, limits=Limits(512 << 20, 60, 20))
    assert outcome == Outcome(0, "True Resource temporarily unavailable\n", "", "", ())


@pytest.mark.parametrize(
    ("groups", "places"),
    [
        ("8:pids:/\n4:memory:/a\n0::/\n", ["pids", ""]),
        ("8:cpu,pids:/docker/1\n", ["pids/docker/1", "pids/docker"]),
        ("0::/user.slice/session-1.scope\n", ["user.slice/session-1.scope", "user.slice"]),
    ],
)
def test_places_of_control_groups(groups: str, places: list[str], tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text(groups)
    assert list(pids._places(str(tmp_path / "cgroup"), "/c")) == [Path("/c", place) for place in places]
    assert list(pids._places(str(tmp_path / "none"), "/c")) == []


def test_no_group_is_left_where_no_limit_can_be_set(tmp_path: Path) -> None:
    assert pids._make_group(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_starting_threads_endlessly(run: Run) -> None:
    outcome = run(
        "import threading, time\nfor _ in range(500):\n    threading.Thread(target=time.sleep, args=(30,)).start()"
    )
    assert outcome.stopped == "processes"


def test_allocating_endlessly(run: Run) -> None:
    """Up to 4 GiB, by two processes."""
    mark = f"hoard{time.monotonic_ns()}"
    outcome = run(
        f"import os, time  # {mark}\nos.fork()\nhoard = [b'x' * (16 << 20) for _ in range(128)]\ntime.sleep(30)"
    )
    assert outcome.stopped == "memory"
    assert alive(mark) == []


def test_allocating_100_gb_at_once(run: Run) -> None:
    outcome = run("x = bytearray(100 << 30)\nx[::4096] = bytes(len(x) // 4096)")
    assert outcome.stopped == "memory" or "MemoryError" in outcome.stderr


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_filling_memory_with_files(run: Run, folder: str) -> None:
    outcome = run(
        f"with open('{folder}/x', 'wb') as file:\n    for _ in range(32):\n        file.write(bytes(16 << 20))"
    )
    assert outcome.stderr.endswith("OSError: [Errno 28] No space left on device\n")


def test_filling_the_disk(run: Run, tmp_path: Path) -> None:
    """Up to 1 GB. What was written is the caller's, who made the folder."""
    limits = Limits(memory_bytes=64 << 20, seconds=60, processes=50)
    code = "import time\nfor i in range(64):\n    open(f'{i}', 'wb').write(b'x' * (16 << 20))\n    time.sleep(0.05)"
    assert run(code, limits=limits).stopped == "files"


def test_sleeping_past_the_limit_with_children_of_their_own_session(run: Run) -> None:
    mark = f"sleeper{time.monotonic_ns()}"
    code = (
        f"import subprocess, sys, time\nprint('start', flush=True)\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(50)  # {mark}'], start_new_session=True)\n"
        "time.sleep(50)"
    )
    outcome = run(code, limits=Limits(512 << 20, 5.0, 50))
    assert (outcome.stopped, outcome.stdout) == ("seconds", "start\n")
    assert alive(mark) == []


def test_a_background_process_ends_with_the_command(run: Run) -> None:
    mark = f"daemon{time.monotonic_ns()}"
    child = f"[sys.executable, '-c', 'import time; time.sleep(50)  # {mark}']"
    outcome = run(f"import subprocess, sys\nsubprocess.Popen({child}, start_new_session=True)\nprint('done')")
    assert (outcome.stopped, outcome.exit_code, outcome.stdout) == ("", 0, "done\n")
    assert alive(mark) == []


def test_no_process_outside_can_be_seen_or_ended(run: Run) -> None:
    code = "import os\nprint(sum(name.isdigit() for name in os.listdir('/proc')))\nos.kill({}, 9)"
    outcome = run(code.format(os.getpid()))
    assert int(outcome.stdout) <= 3
    assert "ProcessLookupError" in outcome.stderr


def test_output_is_cut(run: Run) -> None:
    outcome = run("for _ in range(100):\n    print('x' * (1 << 20))")
    assert outcome.stdout.startswith("x" * (1 << 20) + "\n")
    assert outcome.stdout.endswith("bytes more\n")
    assert len(outcome.stdout) < OUTPUT_BYTES + 100


def test_an_error_on_our_side_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(pid: int) -> list[int]:
        raise KeyboardInterrupt

    mark = f"interrupted{time.monotonic_ns()}"
    monkeypatch.setattr(sandbox, "_memory_and_threads", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(f"import time; time.sleep(50)  # {mark}")
    assert alive(mark) == []


def test_killing_the_caller_ends_what_is_inside(here: Sandbox, tmp_path: Path) -> None:
    mark = f"orphan{time.monotonic_ns()}"
    caller = (
        "import sys\nfrom pathlib import Path\nfrom toolkit.run.sandbox import Limits, Sandbox\n"
        f"command = [sys.executable, '-c', 'import time; open(\"up\", \"w\"); time.sleep(50)  # {mark}']\n"
        f"Sandbox({here.kind!r}).run(command, {{}}, Path({str(tmp_path)!r}), {{}}, Limits(1 << 29, 60, 50))"
    )
    (tmp_path / "temporary").mkdir()  # a killed caller cannot clean up
    env = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen([sys.executable, "-c", caller], env=env)
    deadline = time.monotonic() + 60
    while not (tmp_path / "up").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(mark)
    process.kill()
    process.wait()
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(mark) == []
    # A next run removes what the killed one could not, once the kernel has let go of it.
    left = True
    while left and time.monotonic() < deadline:
        with bounded_group(1) as enter:
            left = any(list(Path(path).parents[1].glob(f"*-{process.pid}-*")) for path in enter[3:])
    assert not left


def test_torch_works_inside(run: Run) -> None:
    pytest.importorskip("torch")
    outcome = run("import torch; print(torch.ones(3).sum().item())", limits=Limits(4 << 30, 120, 200))
    assert outcome == Outcome(0, "3.0\n", "", "", ())


def test_reasons_are_told_where_none_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        GolfError, match=r"expected bwrap or user namespaces that work, found bwrap: not installed; ins"
    ):
        find_sandbox(("bwrap",))
