"""Load what is to be checked: a build, a run of it, or a records folder. Nothing of it is executed.

    build    train_gpt.py, train_gpt_readable.py, bundle.json, recipe.toml
    run      BUILD/runs/seed42 with its log, final_model.ptz and run.json; the build is two levels up
    record   README.md, submission.json, logs, script; published folders vary in all of these
    script   a lone script
    log      a lone log

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

from toolkit.check.rulebook.ruleset import known_tracks
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.claims import Claims, parse_claims
from toolkit.check.subject.files import Source, open_source
from toolkit.check.subject.git import Change
from toolkit.check.subject.seed_runs import SeedRun, select_reported
from toolkit.errors import GolfError
from toolkit.folders import (
    ARTIFACT_NAME,
    BUNDLE_NAME,
    LAUNCH_NAME,
    PROBES_NAME,
    READABLE_NAME,
    README_NAME,
    RECIPE_NAME,
    REQUIREMENTS_NAME,
    RUNS_NAME,
    SCRIPT_NAME,
    TRACK_PREFIX,
)
from toolkit.run.runlog import RunLog, read_runs

MAX_SCRIPT_BYTES = 64 << 20
MAX_TEXT_BYTES = 4 << 20  # of settings, claims and README
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

    kind: str  # build, run, record, script or log
    source: Source
    script: File | None
    readable: File | None
    readme: str
    recipe: dict[str, Any]
    bundle: dict[str, Any]  # bundle.json
    probes: dict[str, Any]  # probe.json
    claims: Claims | None
    reported: tuple[SeedRun, ...]
    extra: tuple[SeedRun, ...]
    runs: tuple[RunLog, ...]  # all of them, repetitions included
    model_bytes: int | None  # of the artifact, where it lies beside its log
    labels: dict[str, str]  # where a track is named -> its normal spelling
    problems: dict[str, str] = field(default_factory=dict)  # file -> why it could not be read
    against: Baseline | None = None  # scores that a record has to beat
    change: Change | None = None  # the pull request that brings it

    @property
    def root(self) -> Path:
        """The folder, which need not exist on this machine."""
        return self.source.root

    @property
    def commit(self) -> str | None:
        """The commit that holds the folder, for one in a repository."""
        return self.source.commit

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files."""
        return self.source.names

    @property
    def track(self) -> str | None:
        """The track whose rules apply: the strictest of those named, so that no single file can soften them."""
        known = {where: label for where, label in self.labels.items() if label in known_tracks()}
        if RECORD_TRACK in known.values():
            return RECORD_TRACK
        explicit = {label for where, label in known.items() if where != FOLDER}  # one folder holds both other tracks
        return min(explicit or set(known.values()), default=None)

    @property
    def ours(self) -> bool:
        """Was the folder written by this toolkit? Then a program wrote every number, and a wrong one is no slip."""
        return bool(self.named_scripts)

    @property
    def named_scripts(self) -> frozenset[str]:
        """SHA-256 of the scripts that logs, submission.json and bundle.json name: only this toolkit has them do so."""
        named = [log.script_sha256 for run in self.reported for log in (run.trained, run.scored)]
        named.append(self.claims.fields.get("bundle_sha256") if self.claims else None)
        hashes = self.bundle.get("sha256")
        named.append(hashes.get(SCRIPT_NAME) if isinstance(hashes, dict) else None)
        return frozenset(name for name in named if name is not None)

    def where(self, log: RunLog, line: int | None = None) -> str:
        """Place in a log as `name:line`."""
        name = log.path.relative_to(self.root).as_posix()
        return name if line is None else f"{name}:{line}"


FOLDER = "folder name"
_LOG_NAME = re.compile(r"\.log$|(?:log|train|run|seed)[^/]*\.txt$|logs[^/]*/[^/]*\.txt$", re.IGNORECASE)
_TRACKS = {"10min_16mb": RECORD_TRACK, "non_record_16mb": "non-record-16mb"}


def load_subject(source: Source | Path) -> Subject:
    """Read a build, run, records folder, script or log; `GolfError` for what is none of them."""
    source = open_source(source) if isinstance(source, Path) else source
    root, loader = source.root, _Loader(source)
    kind = _kind(source)
    build = _Loader(source.ancestor()) if kind == "run" else loader
    script = build.read(SCRIPT_NAME) or next(filter(None, map(build.read, build.other_scripts())), None)
    recipe = build.parse(RECIPE_NAME, tomllib.loads)
    bundle = build.parse(BUNDLE_NAME, json.loads)
    claims = loader.claims() if kind == "record" else None
    runs = loader.runs(kind) if kind != "build" else []
    reported, extra = select_reported(runs, claims)
    if kind == "log" and not reported and not loader.problems:
        raise GolfError(f"{root / source.names[0]}: expected a script or the log of a run, found neither")
    labels = {RECIPE_NAME: recipe.get("track"), BUNDLE_NAME: bundle.get("track")}
    if root.parent.name.startswith(TRACK_PREFIX):
        labels[FOLDER] = root.parent.name.removeprefix(TRACK_PREFIX)
    if claims:
        labels[claims.where] = claims.fields.get("track")
        if re.match(r"non[- _]?record", str(claims.fields.get("name")), re.IGNORECASE):
            labels[f"{claims.where} name"] = "non-record-16mb"
    for run in reported:
        if track := run.trained.settings.get("track"):
            labels[run.trained.path.relative_to(root).as_posix()] = track.value
    return Subject(
        kind=kind,
        source=source,
        script=script,
        readable=build.read(READABLE_NAME),
        readme=file.text if (file := loader.read(README_NAME, MAX_TEXT_BYTES)) else "",
        recipe=recipe,
        bundle=bundle,
        probes=build.parse(PROBES_NAME, json.loads),
        claims=claims,
        reported=tuple(reported),
        extra=tuple(extra),
        runs=tuple(runs),
        model_bytes=source.size(ARTIFACT_NAME) if kind == "run" and ARTIFACT_NAME in source.names else None,
        labels={where: _spelling(label) for where, label in labels.items() if label and isinstance(label, str)},
        problems=build.problems | loader.problems,
    )


def _spelling(label: str) -> str:
    return _TRACKS.get(label.lower().replace("-", "_"), label)


def _kind(source: Source) -> str:
    root, names = source.root, source.names
    if any(re.fullmatch(r"submission[^/]*\.json", name) for name in names):
        return "record"
    if source.lone:
        return "script" if names[0].endswith(".py") else "log"
    if LAUNCH_NAME in names or root.parent.name == RUNS_NAME:
        return "run"
    if BUNDLE_NAME in names:
        return "build"
    if README_NAME in names or any(_LOG_NAME.search(name) or name.endswith(".py") for name in names):
        return "record"
    raise GolfError(f"{root}: expected the folder of a build, a run or a record, found neither script nor logs in it")


class _Loader:
    """Reads the files of one source and keeps what could not be read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems = dict(source.problems)

    def read(self, name: str, limit: int = MAX_SCRIPT_BYTES) -> File | None:
        """A file of reasonable size, or None."""
        if name not in self.source.names:
            return None
        if (size := self.source.size(name)) > limit:
            self.problems[name] = f"expected at most {limit:,} bytes, found {size:,}"
            return None
        with self.source.open(name) as stream:
            data = stream.read(limit)
        if len(data) != size:
            self.problems[name] = f"expected {size:,} bytes, found {len(data):,}"
            return None
        return File(name, data)

    def parse(self, name: str, parser: Callable[[str], Any]) -> dict[str, Any]:
        """A file of settings, empty when absent or unreadable."""
        file = self.read(name, MAX_TEXT_BYTES)
        if file is None:
            return {}
        try:
            content = parser(file.text)
        except (ValueError, RecursionError) as error:
            self.problems[name] = f"expected {name}, found {error}"
            return {}
        return content if isinstance(content, dict) else {}

    def other_scripts(self) -> list[str]:
        """Scripts that may train under another name; the readable script of a packed one does not."""
        pattern = re.compile(r".*\.py" if self.source.lone else r"train(?![^/]*(?:readable|human))[^/]*\.py")
        return [name for name in self.source.names if pattern.fullmatch(name)]

    def claims(self) -> Claims | None:
        """Of submission.json, or of a file named after it."""
        names = [name for name in self.source.names if re.fullmatch(r"submission[^/]*\.json", name)]
        for name in sorted(names, key=len):
            if file := self.read(name, MAX_TEXT_BYTES):
                try:
                    return parse_claims(file.text, name)
                except GolfError as error:
                    self.problems[name] = str(error)
        return None

    def runs(self, kind: str) -> list[RunLog]:
        """Runs of all logs; of a copy the one named after its seed comes first."""
        names = [name for name in self.source.names if kind == "log" or _LOG_NAME.search(name)]
        runs: list[RunLog] = []
        for name in sorted(names, key=lambda name: (name == "train.log", name)):
            if name == REQUIREMENTS_NAME or kind == "script":
                continue
            path = self.source.root / name
            try:
                with self.source.open(name) as stream:
                    runs += read_runs(path, stream)
            except GolfError as error:
                self.problems[name] = str(error).replace(f"{self.source.root}/", "")
        return runs
