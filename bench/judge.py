"""Whether a program does the same packed and unpacked: both run in a folder of their own, and what they say counts.

A program that a time limit ends, or that does not run as it is, says nothing about packing and is skipped. One whose
outcome differs is run again both ways before it counts, so that nobody holds a test of times against the packer.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from unittest import mock

from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.bundle.pack import compress
from toolkit.errors import GolfError
from toolkit.folders import write_atomically
from toolkit.syntax.parse import NotReadable, parse

EQUAL, DIFFERENT, REFUSED, TRACEBACK, SLOW = "equal", "different", "refused", "traceback", "slow"
SYNTAX = "refused for syntax"  # what our own Python does not parse
SKIPPED = "skipped"  # says nothing when it runs unpacked
_PACKING_SECONDS = 120  # before packing counts as slow
_TAIL = 4000  # characters of a program's last words that are kept


@dataclass(frozen=True)
class Run:
    """A program that ended by itself."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Program:
    path: Path
    arguments: tuple[str, ...] = ()
    with_folder: bool = False  # runs with what lies beside it


@dataclass(frozen=True)
class Judge:
    """How programs are run, and what of a run has to be equal."""

    python: str
    says: Callable[[Run], str | None]  # None where a run says nothing
    limit: float = 60.0  # seconds of a run
    quick: bool = False  # without the search for the best compression


@dataclass(frozen=True)
class Verdict:
    """What came of a program. `detail` is one line; `packed_tail` is for whoever looks for the cause."""

    name: str
    kind: str
    detail: str = ""
    unpacked: str = ""  # what it says as it is
    packed: str = ""
    packing_seconds: float = 0.0
    packed_sha256: str = ""
    packed_tail: str = ""


def judge_all(judge: Judge, programs: Mapping[str, Program], keep: Path | None, jobs: int) -> list[Verdict]:
    """Verdicts in the order of the programs. What `keep` holds as equal or skipped is not judged again."""
    kept = read_kept(keep)
    again = [name for name in programs if name not in kept or kept[name].kind not in (EQUAL, SKIPPED)]
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {name: pool.submit(judge_program, judge, name, programs[name], kept.get(name)) for name in again}
        for name, future in waiting.items():
            kept[name] = verdict = future.result()
            print(f"{verdict.packing_seconds:6.1f} s  {name}: {verdict.kind} {verdict.detail}", flush=True)
            if keep:
                records = {name: dataclasses.asdict(verdict) for name, verdict in sorted(kept.items())}
                write_atomically(keep / "verdicts.json", json.dumps(records, indent=1))
    return [kept[name] for name in programs]


def read_kept(keep: Path | None) -> dict[str, Verdict]:
    if keep is None:
        return {}
    keep.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        return {name: Verdict(**entry) for name, entry in json.loads((keep / "verdicts.json").read_text()).items()}
    return {}


def judge_program(judge: Judge, name: str, program: Program, before: Verdict | None = None) -> Verdict:
    """`before` is the last verdict on it: what was packed to the same bytes is as different as it was."""
    source = program.path.read_bytes()
    unpacked = before.unpacked if before else _says(judge, program, source)[0]
    if not unpacked:
        return Verdict(name, SKIPPED, "does not run or end as it is")
    started = time.perf_counter()
    try:
        with _alarm(_PACKING_SECONDS), _no_cache(), _without_search() if judge.quick else contextlib.nullcontext():
            packed = pack_script(source)
    except GolfError as error:
        kind = SYNTAX if _is_newer(source) else REFUSED
        return Verdict(name, kind, str(error), unpacked, packed_tail=traceback.format_exc()[-_TAIL:])
    except TimeoutError:
        return Verdict(name, SLOW, f"packing takes more than {_PACKING_SECONDS} s", unpacked)
    except Exception as error:
        return Verdict(name, TRACEBACK, repr(error), unpacked, packed_tail=traceback.format_exc()[-_TAIL:])
    seconds = time.perf_counter() - started
    if before and before.packed_sha256 == packed.sha256:
        return before
    said, tail = _says(judge, program, packed.packed)
    if said != unpacked:  # perhaps it never says the same twice
        unpacked, _ = _says(judge, program, source)
        said, tail = _says(judge, program, packed.packed)
    kind = EQUAL if said == unpacked else DIFFERENT
    detail = "" if kind == EQUAL else f"{unpacked} -> {said or 'nothing'}"
    return Verdict(name, kind, detail, unpacked, said, seconds, packed.sha256, "" if kind == EQUAL else tail)


def report(verdicts: list[Verdict]) -> None:
    """A table of what is not equal, and totals by kind and reason."""
    totals = Counter(verdict.kind for verdict in verdicts)
    for verdict in verdicts:
        if verdict.kind not in (EQUAL, SKIPPED):
            print(f"{verdict.kind:<20}{verdict.name:<34}{verdict.detail}")
    reasons = Counter(re.sub(r"\d+", "N", verdict.detail) for verdict in verdicts if verdict.kind == REFUSED)
    for reason, count in reasons.most_common():
        print(f"{count:>5}  {reason}")
    print(f"{len(verdicts)} programs, " + ", ".join(f"{count} {kind}" for kind, count in totals.most_common()))
    print(f"longest packing {max((verdict.packing_seconds for verdict in verdicts), default=0):.1f} s")


def _says(judge: Judge, program: Program, script: bytes) -> tuple[str, str]:
    """What a run says, and its last words."""
    run = run_program(judge, program, script)
    if run is None:
        return "", "ended by the time limit"
    return judge.says(run) or "", f"{run.stdout[-_TAIL:]}\n{run.stderr[-_TAIL:]}"


def run_program(judge: Judge, program: Program, script: bytes) -> Run | None:
    """Run a script in the place of a program, in a fresh folder. None if the time limit ended it and its children."""
    with tempfile.TemporaryDirectory(prefix="judge", ignore_cleanup_errors=True) as folder:
        if program.with_folder:
            shutil.copytree(program.path.parent, folder, dirs_exist_ok=True)
        (Path(folder) / program.path.name).write_bytes(script)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "PYTHONHASHSEED": "0"}
        with (
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,  # pipes would wait for whatever the program leaves running
            subprocess.Popen(
                [judge.python, program.path.name, *program.arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            ) as process,
        ):
            try:
                exit_code = process.wait(judge.limit)
            except subprocess.TimeoutExpired:
                return None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            stdout.seek(0)
            stderr.seek(0)
            return Run(exit_code, stdout.read().decode(errors="replace"), stderr.read().decode(errors="replace"))


def _is_newer(source: bytes) -> bool:
    try:
        parse(source.decode())
    except (NotReadable, UnicodeDecodeError):
        return True
    return False


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """`TimeoutError` after so many seconds."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _no_cache() -> Iterator[None]:
    """Seconds are those of packing, and nobody finds what was packed without a search."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CACHE_HOME=folder):
        yield


def _without_search() -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(compress, "search_filters", compress.default_filters)
