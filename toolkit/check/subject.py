"""Load what is to be checked: a build, a run of it, or a records folder. Nothing of it is executed.

    build    train_gpt.py, train_gpt_readable.py, bundle.json, recipe.toml
    run      BUILD/runs/seed42 with its log, final_model.ptz and run.json; the build is two levels up
    record   README.md, submission.json, logs, script; published folders vary in all of these

What cannot be read becomes a problem of that file, not an error, so that the other evidence still counts.
"""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from toolkit.check.claims import Claims, parse_claims
from toolkit.check.reported import SeedRun, select_reported
from toolkit.check.ruleset import known_tracks
from toolkit.errors import GolfError
from toolkit.run.runlog import RunLog, read_runs

MAX_FILE_BYTES = 64 << 20  # of files read whole
MAX_FILES = 10_000
RECORD_TRACK = "10min_16mb"


@dataclass(frozen=True)
class File:
    """A file with its content and its name inside the subject."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Subject:
    """Everything that the rules look at."""

    kind: str  # build, run or record
    root: Path
    files: tuple[str, ...]  # names of all files
    script: File | None
    readable: File | None
    readme: str
    recipe: dict[str, Any]
    bundle: dict[str, Any]  # bundle.json
    claims: Claims | None
    reported: tuple[SeedRun, ...]
    extra: tuple[SeedRun, ...]
    model_bytes: int | None  # of the artifact, where it lies beside its log
    labels: dict[str, str]  # where a track is named -> its normal spelling
    problems: dict[str, str] = field(default_factory=dict)  # file -> why it could not be read

    @property
    def track(self) -> str | None:
        """The track whose rules apply: the strictest of those named, so that no single file can soften them."""
        known = {where: label for where, label in self.labels.items() if label in known_tracks()}
        if RECORD_TRACK in known.values():
            return RECORD_TRACK
        explicit = {label for where, label in known.items() if where != FOLDER}  # one folder holds both other tracks
        return min(explicit or set(known.values()), default=None)

    def where(self, log: RunLog, line: int | None = None) -> str:
        """Place in a log as `name:line`."""
        name = log.path.relative_to(self.root).as_posix()
        return name if line is None else f"{name}:{line}"


FOLDER = "folder name"
_LOG_NAME = re.compile(r"\.log$|(?:log|train|run|seed)[^/]*\.txt$|logs[^/]*/[^/]*\.txt$", re.IGNORECASE)
_TRACKS = {"10min_16mb": RECORD_TRACK, "non_record_16mb": "non-record-16mb"}


def load_subject(path: Path) -> Subject:
    """Read a build, run or records folder; `GolfError` for a path that is none of them."""
    root = path.resolve()
    if not root.is_dir():
        raise GolfError(f"{path}: expected the folder of a build, a run or a record, found no folder")
    loader = _Loader(root)
    kind = _kind(root, loader.names)
    build = _Loader(root.parent.parent) if kind == "run" else loader
    script = build.read("train_gpt.py") or next(filter(None, map(build.read, build.other_scripts())), None)
    recipe = build.parse("recipe.toml", tomllib.loads)
    bundle = build.parse("bundle.json", json.loads)
    claims = loader.claims() if kind == "record" else None
    reported, extra = select_reported(loader.runs() if kind != "build" else [], claims)
    model = root / "final_model.ptz"
    labels = {"recipe.toml": recipe.get("track"), "bundle.json": bundle.get("track")}
    if root.parent.name.startswith("track_"):
        labels[FOLDER] = root.parent.name.removeprefix("track_")
    if claims:
        labels[claims.where] = claims.fields.get("track")
    for run in reported:
        if track := run.trained.settings.get("track"):
            labels[run.trained.path.relative_to(root).as_posix()] = track.value
    return Subject(
        kind=kind,
        root=root,
        files=tuple(loader.names),
        script=script,
        readable=build.read("train_gpt_readable.py"),
        readme=file.text if (file := loader.read("README.md")) else "",
        recipe=recipe,
        bundle=bundle,
        claims=claims,
        reported=tuple(reported),
        extra=tuple(extra),
        model_bytes=model.stat().st_size if kind == "run" and model.is_file() else None,
        labels={where: _spelling(label) for where, label in labels.items() if label and isinstance(label, str)},
        problems=build.problems | loader.problems,
    )


def _spelling(label: str) -> str:
    return _TRACKS.get(label.lower().replace("-", "_"), label)


def _kind(root: Path, names: list[str]) -> str:
    if any(re.fullmatch(r"submission[^/]*\.json", name) for name in names):
        return "record"
    if "run.json" in names or root.parent.name == "runs":
        return "run"
    if "bundle.json" in names:
        return "build"
    if "README.md" in names or any(_LOG_NAME.search(name) or name.endswith(".py") for name in names):
        return "record"
    raise GolfError(f"{root}: expected the folder of a build, a run or a record, found neither script nor logs in it")


class _Loader:
    """Reads the files of one folder, two levels deep, and keeps what could not be read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: dict[str, str] = {}
        found = sorted(path for pattern in ("*", "*/*") for path in root.glob(pattern) if _is_inside(path, root))
        self.names = [path.relative_to(root).as_posix() for path in found[:MAX_FILES]]

    def read(self, name: str) -> File | None:
        """A file of reasonable size, or None."""
        path = self.root / name
        if name not in self.names:
            return None
        if path.stat().st_size > MAX_FILE_BYTES:
            self.problems[name] = f"expected at most {MAX_FILE_BYTES} bytes, found {path.stat().st_size}"
            return None
        return File(name, path.read_bytes())

    def parse(self, name: str, parser: Callable[[str], Any]) -> dict[str, Any]:
        """A file of settings, empty when absent or unreadable."""
        file = self.read(name)
        if file is None:
            return {}
        try:
            content = parser(file.text)
        except (ValueError, RecursionError) as error:
            self.problems[name] = f"expected {name}, found {error}"
            return {}
        return content if isinstance(content, dict) else {}

    def other_scripts(self) -> list[str]:
        """Scripts that may train under another name; readable twins of a packed one do not."""
        return [name for name in self.names if re.fullmatch(r"train(?![^/]*(?:readable|human))[^/]*\.py", name)]

    def claims(self) -> Claims | None:
        """Of submission.json, or of a file named after it."""
        names = [name for name in self.names if re.fullmatch(r"submission[^/]*\.json", name)]
        for name in sorted(names, key=len):
            if file := self.read(name):
                try:
                    return parse_claims(file.text, name)
                except GolfError as error:
                    self.problems[name] = str(error)
        return None

    def runs(self) -> list[RunLog]:
        """Runs of all logs; of a copy the one named after its seed comes first."""
        names = [name for name in self.names if _LOG_NAME.search(name) and name != "requirements.txt"]
        runs: list[RunLog] = []
        for name in sorted(names, key=lambda name: (name == "train.log", name)):
            try:
                runs += read_runs(self.root / name)
            except GolfError as error:
                self.problems[name] = str(error).replace(f"{self.root}/", "")
        return runs


def _is_inside(path: Path, root: Path) -> bool:
    """A regular file that no link leads out of the folder."""
    return path.is_file() and path.resolve().is_relative_to(root)
