"""The leaderboard of the competition: tables of its README as rows, and the score that a new record has to beat."""

import re
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import GolfError
from toolkit.folders import README_NAME

MAX_BYTES = 4 << 20
_CELLS = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[[^\]\n]{0,200}\]\(([^()\s]{1,500})\)")
_SCORE = re.compile(r"\d{1,3}(?:\.\d{1,10})?")
_NON_RECORD = re.compile(r"non[- ]?record|unlimited", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One entry. `section` is the heading above its table; `line` counts from 1."""

    section: str
    run: str
    val_bpb: float
    author: str
    date: str
    links: tuple[str, ...]
    line: int


def parse_leaderboard(text: str) -> list[Row]:
    """Rows of every table with the columns run, score, author and date, in their order."""
    rows: list[Row] = []
    section, columns = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            section, columns = line.strip("# ").strip(), {}
        cells = (
            [cell.strip() for cell in _CELLS.split(line.strip().strip("|"))] if line.lstrip().startswith("|") else []
        )
        names = [cell.lower() for cell in cells]
        if {"run", "score", "author", "date"} <= set(names):
            columns = {name: index for index, name in enumerate(names)}
        elif not cells:
            columns = columns if line.startswith("#") else {}
        elif columns and len(cells) >= len(columns) and (score := _SCORE.fullmatch(cells[columns["score"]].strip("*"))):
            run, author, date = (cells[columns[name]] for name in ("run", "author", "date"))
            links = tuple(dict.fromkeys(_LINK.findall(" ".join(cells))))
            rows.append(Row(section, run, float(score[0]), author, date, links, number))
    return rows


def bar_to_beat(rows: list[Row]) -> Row:
    """The best row of the record track; of equals the first. `GolfError` when there is none."""
    records = [row for row in rows if not _NON_RECORD.search(row.section)]
    if not records:
        raise GolfError("leaderboard: expected a table with the columns Run, Score, Author and Date, found none")
    return min(records, key=lambda row: row.val_bpb)


def read_document(spec: str) -> str:
    """Text of a file, or of one in a commit as `REPO@COMMIT:PATH`, by default README.md."""
    path = Path(spec)
    if path.is_file():
        if path.stat().st_size > MAX_BYTES:
            raise GolfError(f"{spec}: expected at most {MAX_BYTES:,} bytes, found {path.stat().st_size:,}")
        return path.read_text(encoding="utf-8", errors="replace")
    repo, at, rest = spec.rpartition("@")
    if not at or not Path(repo).is_dir():
        raise GolfError(f"{spec}: expected a file such as README.md, or REPO@COMMIT:PATH, found neither")
    from toolkit.check.subject.git import Repository

    repository = Repository(Path(repo))
    commit, _, name = rest.partition(":")
    name = name or README_NAME
    entry = repository.files(repository.commit(commit), name).get(name)
    if entry is None or entry[2] > MAX_BYTES:
        raise GolfError(f"{spec}: expected a file of at most {MAX_BYTES:,} bytes, found {'more' if entry else 'none'}")
    with repository.open(entry[1]) as stream:
        return stream.read().decode("utf-8", errors="replace")
