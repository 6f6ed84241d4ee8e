"""Read commits of a git repository, bare or not, through plumbing: no checkout, no hooks, nothing fetched or written.

The repository is a stranger's. Its configuration can make git run commands only in operations that are not used here
(fetches, diffs of content, index updates, pagers); transports are forbidden besides.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from toolkit.check.subject.files import MAX_FILES, Source
from toolkit.errors import GolfError
from toolkit.folders import RECORDS_DIR, TRACK_PREFIX, build_of

_TIMEOUT_SECONDS = 60
_MARKS = re.compile(r"(?:submission[^/]*\.json|train[^/]*\.py)$")  # of the folder of a submission
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}


class Repository:
    """The object database of a repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        inner = path / ".git"
        self._command = ["git", "--no-pager", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false"]
        self._command += ["--git-dir", str(inner if inner.exists() else path)]
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _ENVIRONMENT

    def run(self, *arguments: str) -> str:
        """Output of a plumbing command; `GolfError` when it fails."""
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
            )
        except FileNotFoundError:
            raise GolfError("git: expected the program on the PATH, found none; install git") from None
        except subprocess.TimeoutExpired:
            raise GolfError(f"{self.path}: git {arguments[0]} took more than {_TIMEOUT_SECONDS} s") from None
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
            raise GolfError(f"{self.path}: git {arguments[0]}: {reason[0].removeprefix('fatal: ')}")
        return done.stdout.decode(errors="surrogateescape")

    def commit(self, name: str) -> str:
        """The hash of a commit, branch or tag."""
        try:
            return self.run("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        except GolfError as error:
            raise GolfError(f"{self.path}: expected a commit, found {name!r} ({error})") from None

    def merge_base(self, base: str, head: str) -> str:
        """The commit that two lines have in common, from where a pull request starts."""
        return self.run("merge-base", self.commit(base), self.commit(head)).strip()

    def changes(self, base: str, head: str) -> list[tuple[str, str]]:
        """Status (A, M, D, T) and path of every file that differs between two commits; a move is D and A."""
        fields = self.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", base, head).split("\0")
        return list(zip(fields[:-1:2], fields[1:-1:2], strict=True))

    def files(self, commit: str, path: str) -> dict[str, tuple[str, str, int]]:
        """Path -> (mode, object, bytes) of all files at and below a path; links and submodules have their own modes."""
        listing = self.run("ls-tree", "-r", "-z", "--long", "--full-tree", commit, *([path] if path else []))
        entries = (line.partition("\t") for line in listing.split("\0") if line)
        found = {}
        for attributes, _, name in entries:
            mode, _, blob, size = attributes.split()
            found[name] = (mode, blob, int(size) if size.isdecimal() else 0)
        return found

    def open(self, blob: str) -> BinaryIO:
        """A stream over the content of an object."""
        return cast(BinaryIO, _Blob([*self._command, "cat-file", "blob", blob], self._environment))


class _Blob:
    """Output of `git cat-file` as a file; closing it early ends the process."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout
        self._stream = self._process.stdout
        self.read, self.readline = self._stream.read, self._stream.readline

    def __enter__(self) -> "_Blob":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._process.kill()
        self._process.wait()


class GitSource:
    """A folder or file of a commit."""

    def __init__(self, repository: Repository, commit: str, path: str) -> None:
        self.repository = repository
        self.commit: str | None = repository.commit(commit)
        path = PurePosixPath(path).as_posix().strip("/")
        files = repository.files(str(self.commit), path if path != "." else "")
        if not files:
            raise GolfError(f"{repository.path}: expected a folder or file of {self.commit[:12]}, found no {path!r}")
        self.lone = path in files
        self.root = Path(path).parent if self.lone else Path(path)
        inside = {PurePosixPath(name).relative_to(self.root.as_posix()).as_posix(): files[name] for name in files}
        shallow = {name: entry for name, entry in inside.items() if name.count("/") < 2}
        self._files = {name: (blob, size) for name, (mode, blob, size) in shallow.items() if mode.startswith("100")}
        self.names = tuple(sorted(self._files))
        if len(self.names) > MAX_FILES:
            raise GolfError(f"{path}: expected at most {MAX_FILES} files, found more")
        self.problems = dict.fromkeys(shallow.keys() - self._files.keys(), "expected a file, found a link")

    def size(self, name: str) -> int:
        return self._files[name][1]

    def open(self, name: str) -> BinaryIO:
        return self.repository.open(self._files[name][0])

    def ancestor(self) -> Source:
        return GitSource(self.repository, str(self.commit), build_of(self.root).as_posix())


@dataclass(frozen=True)
class Change:
    """What a pull request does: status (A, M, D, T) and path of every file, since the merge base."""

    base: str
    head: str
    files: tuple[tuple[str, str], ...]


def read_change(repository: Repository, base: str, head: str) -> Change:
    """What a line of commits does since it left `base`; for a commit that `base` holds, what its last merge brought."""
    tip = repository.commit(head)
    start = repository.merge_base(base, tip)
    if start == tip:
        start = repository.commit(f"{tip}^")
    return Change(start, tip, tuple(repository.changes(start, tip)))


def submission_folders(change: Change) -> list[str]:
    """Folders that a change adds to or edits and that look like submissions, by name, which begins with a date.

    A folder with one of the marks holds everything below it.
    """
    paths = [PurePosixPath(path) for status, path in change.files if status != "D"]
    marked = {path.parent.as_posix() for path in paths if _MARKS.match(path.name)} - {"."}
    return sorted(folder for folder in marked if not any(_below(folder, other) for other in marked))


def the_submission(change: Change) -> str:
    """The newest of a change's folders; ONE-FOLDER tells of the others."""
    folders = submission_folders(change)
    if not folders:
        raise GolfError(f"{change.head[:12]}: expected a folder with a script, found none; name a PATH")
    return max(
        folders, key=lambda folder: (folder.startswith(f"{RECORDS_DIR}/{TRACK_PREFIX}"), PurePosixPath(folder).name)
    )


def _below(folder: str, other: str) -> bool:
    return folder != other and folder.startswith(f"{other}/")
