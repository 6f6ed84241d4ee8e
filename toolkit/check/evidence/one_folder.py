"""ONE-FOLDER: a pull request adds one folder under the track it belongs to, and touches nothing else."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject

_TRACK = re.compile(r"records/track_\w+")
_NAME = re.compile(r"20\d\d-[01]\d-[0-3]\d_.+", re.DOTALL)
_SHOWN = 20  # findings of one kind


def one_folder(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """The place and name of the folder where they are known; with a change, everything it touches."""
    folder = subject.root.as_posix()
    in_track = subject.root.parent.name.startswith("track_")
    if subject.commit or in_track:
        yield rule.judge(bool(_NAME.fullmatch(subject.root.name)), "folder name", "YYYY-MM-DD_Words", subject.root.name)
    if subject.commit:
        parent = subject.root.parent.as_posix()
        yield rule.judge(bool(_TRACK.fullmatch(parent)), "folder place", "a folder under records/track_*", f"{folder}")
    change = subject.change
    if change is None:
        return
    expected = f"additions under {folder} alone"
    outside = [(status, path) for status, path in change.files if status != "A" or not path.startswith(f"{folder}/")]
    others = sorted({name for _, path in outside if (name := _record_folder(path)) and name != folder})
    for name in others[:_SHOWN]:
        yield rule.judge(False, name, expected, "another submission's folder")
    for status, path in [entry for entry in outside if _record_folder(entry[1]) not in others][:_SHOWN]:
        yield rule.judge(False, path, expected, {"A": "added", "M": "edited", "D": "deleted"}.get(status, "changed"))
    if not outside:
        yield rule.finding(
            "PASS", f"{change.base[:12]}..{change.head[:12]}", expected, f"{len(change.files)} files added"
        )


def _record_folder(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    return "/".join(parts[:3]) if len(parts) > 3 and _TRACK.fullmatch("/".join(parts[:2])) else None
