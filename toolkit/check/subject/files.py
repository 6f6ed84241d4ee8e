"""Where the files of a subject come from: a folder, a lone file, or a folder in a commit of a git repository.

Names are relative to the subject, two levels deep. Links that lead out of a folder, and links in a commit, are not
followed but reported as problems. Nothing is written.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from toolkit.errors import GolfError
from toolkit.folders import build_of

MAX_FILES = 10_000


class Source(Protocol):
    """Files by name. `root` is the place of the folder, which need not exist on this machine."""

    root: Path
    lone: bool  # a single file instead of a folder
    commit: str | None
    names: tuple[str, ...]
    problems: dict[str, str]  # name -> why it is not among the names

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def open(self, name: str) -> BinaryIO:
        """A stream over the bytes of a file."""

    def ancestor(self) -> "Source":
        """The folder two levels up: the build of a run."""


class FolderSource:
    """A folder on disk."""

    lone = False
    commit: str | None = None

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.problems: dict[str, str] = {}
        self.names = tuple(sorted(self._walk(self.root, 2)))
        if len(self.names) > MAX_FILES:
            raise GolfError(f"{root}: expected at most {MAX_FILES} files, found more")

    def _walk(self, folder: Path, levels: int) -> Iterator[str]:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            name = (folder / entry.name).relative_to(self.root).as_posix()
            if entry.is_symlink() and not self._stays_inside(folder / entry.name):
                self.problems[name] = "expected a file of the folder, found a link that leads out of it"
            elif entry.is_file():
                yield name
            elif entry.is_dir(follow_symlinks=False) and levels > 1:
                yield from self._walk(folder / entry.name, levels - 1)

    def _stays_inside(self, path: Path) -> bool:
        try:
            return path.resolve(strict=True).is_relative_to(self.root)
        except (OSError, RuntimeError):  # a link to nowhere, or to itself
            return False

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")

    def ancestor(self) -> Source:
        return FolderSource(build_of(self.root))


class FileSource(FolderSource):
    """A lone script or log."""

    lone = True

    def __init__(self, path: Path) -> None:
        self.root = path.resolve().parent
        self.names = (path.resolve().name,)
        self.problems = {}


def open_source(path: Path) -> Source:
    """The folder or file at a path; `GolfError` for anything else."""
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return FileSource(path)
    raise GolfError(f"{path}: expected the folder of a build, a run or a record, a script or a log, found neither")
