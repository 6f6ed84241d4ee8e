"""Package runs as a record: assemble aside, check, and only then rename into `records/`.

    build/demo/runs/seed{42,1337,2025}  ->  records/track_non_record_16mb/2026-05-02_Demo/
                                            records/track_non_record_16mb/2026-05-02_Demo.pr.md

A pull request adds exactly one folder, so its text lies beside the folder and not in it.
"""

import contextlib
import datetime
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.check import Report, check_path
from toolkit.check.evidence.probes import missing_probes, read_findings, read_probes
from toolkit.check.rulebook.ruleset import load_rules
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.claims import parse_claims
from toolkit.check.subject.subject import RECORD_TRACK
from toolkit.errors import GolfError
from toolkit.folders import (
    PROBES_NAME,
    PROOF_NAME,
    READABLE_NAME,
    README_NAME,
    RECIPE_NAME,
    RECORDS_DIR,
    REQUIREMENTS_NAME,
    SCRIPT_NAME,
    SUBMISSION_NAME,
    TRACK_PREFIX,
    pull_request_path,
    put_in_place,
    record_folder,
)
from toolkit.record.proof import find_proof
from toolkit.record.runs import Build, Run, read_matching_runs
from toolkit.record.submission import make_submission
from toolkit.record.texts import render_pr_body, render_readme, render_requirements
from toolkit.run.processes import interrupt_on_termination

SCRIPTS = (SCRIPT_NAME, READABLE_NAME, RECIPE_NAME)  # copied from the build as they are


class RefusedRecord(GolfError):
    """The checks of the assembled record failed; `report` has the findings."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


class RecordExists(GolfError):
    """The folder of the record exists already."""


def package(
    runs: Sequence[Path],
    author: str,
    github_id: str,
    records_dir: Path = RECORDS_DIR,
    date: str | None = None,
    name: str | None = None,
    blurb: str = "",
    allow_unknown: bool = False,
    against: Baseline | None = None,
) -> Path:
    """Write the record of some finished runs of one build and return its folder.

    `date` is YYYY-MM-DD (default: today), `name` the submission's title (default: the recipe's), `against` the scores
    that a record has to beat. A FAIL of any check raises `RefusedRecord` and leaves nothing, and so does an UNKNOWN
    unless `allow_unknown`: missing evidence is no pass, but a person may know better; in the record track that of
    `golf probe` is asked for too. `RecordExists` where there is a folder already, `GolfError` for runs that do not
    belong together.
    """
    draft = _draft(runs, author, github_id, name, blurb, date)
    target = records_dir / draft.folder
    if target.exists():
        raise RecordExists(f"{target}: expected no such folder yet, found one; move it away, or give --name or --date")
    with interrupt_on_termination(), tempfile.TemporaryDirectory(prefix=".golf-", dir=_existing(target)) as work:
        folder = Path(work) / draft.folder
        _assemble(folder, draft)
        report = _with_missing_probes(check_path(folder, against), draft.build)
        _require(report, allow_unknown)
        pr_body = Path(work) / "pr.md"
        pr_body.write_text(render_pr_body(draft.runs, draft.submission, draft.folder, report), encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder, target)  # refuses if a record has appeared in the meantime
        put_in_place(pr_body, pull_request_path(target))
    _require(check_path(target, against), allow_unknown)
    return target


def find_record(runs: Sequence[Path], records_dir: Path = RECORDS_DIR) -> Path | None:
    """The folder in which the same runs were packaged before, by any author and on any date."""
    build, matching = read_matching_runs(runs)
    measured = make_submission(build, matching, {})
    for path in sorted(records_dir.glob(f"{TRACK_PREFIX}*/*/{SUBMISSION_NAME}")):
        with contextlib.suppress(GolfError):  # a broken neighbour is none of our business
            if measured.items() <= parse_claims(path.read_text(encoding="utf-8"), str(path)).fields.items():
                return path.parent
    return None


@dataclass(frozen=True)
class _Draft:
    """Everything that the files of a record are made from."""

    build: Build
    runs: list[Run]
    submission: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the record goes, below the folder of all records."""
        return record_folder(self.build.cfg.track, self.submission["date"], self.submission["name"])


def _draft(runs: Sequence[Path], author: str, github_id: str, name: str | None, blurb: str, date: str | None) -> _Draft:
    build, matching = read_matching_runs(runs)
    given = {
        "author": author,
        "github_id": github_id,
        "name": name or build.cfg.title,
        "blurb": blurb,
        "date": date or datetime.date.today().isoformat(),
    }
    _require_sound(given)
    return _Draft(build, matching, make_submission(build, matching, given))


def _require_sound(given: dict[str, str]) -> None:
    for key, value in given.items():
        if "\n" in value or (key != "blurb" and not value.strip()):
            raise GolfError(f"{key}: expected one line of text, found {value!r}")
    if not re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", given["github_id"]):
        raise GolfError(f"github_id: expected letters, digits and single hyphens, found {given['github_id']!r}")
    with contextlib.suppress(ValueError):
        if datetime.date.fromisoformat(given["date"]).isoformat() == given["date"]:
            return
    raise GolfError(f"date: expected YYYY-MM-DD, found {given['date']!r}")


def _existing(path: Path) -> Path:
    """The nearest folder above a path that exists: a rename from there stays on one file system."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())


def _assemble(folder: Path, draft: _Draft) -> None:
    folder.mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copyfile(draft.build.folder / name, folder / name)
    for run in draft.runs:
        shutil.copyfile(run.log.path, folder / run.log.path.name)
    probes = read_probes(draft.build.folder)
    if probes.get("bundle_sha256") == draft.build.sha256:
        shutil.copyfile(draft.build.folder / PROBES_NAME, folder / PROBES_NAME)
    else:
        probes = {}
    proof = next(filter(None, (find_proof(run.folder) for run in draft.runs)), {})
    if proof:
        (folder / PROOF_NAME).write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")
    readable = (folder / READABLE_NAME).read_text(encoding="utf-8")
    texts = {
        README_NAME: render_readme(draft.build.cfg, draft.runs, draft.submission, list(read_findings(probes)), proof),
        SUBMISSION_NAME: json.dumps(draft.submission, indent=2, ensure_ascii=False) + "\n",
        REQUIREMENTS_NAME: render_requirements(readable, draft.runs[0].launched["packages"]),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _with_missing_probes(report: Report, build: Build) -> Report:
    """In the record track, a probe that was not run is missing evidence."""
    missing = missing_probes(read_probes(build.folder), build.sha256)
    if build.cfg.track != RECORD_TRACK or not missing:
        return report
    rule = next(rule for rule in load_rules(RECORD_TRACK) if rule.id == "C2-NORMALIZED")
    found = f"none of {', '.join(missing)}; run `golf probe {os.path.relpath(build.folder)}`"
    return replace(
        report, findings=(*report.findings, rule.unknown(PROBES_NAME, "outcomes of all probes for this script", found))
    )


def _require(report: Report, allow_unknown: bool) -> None:
    if report.verdict == "FAIL" or (report.verdict == "UNKNOWN" and not allow_unknown):
        rules = sorted({finding.rule for finding in report.findings if finding.outcome == report.verdict})
        hint = "; --allow-unknown packages without that evidence" if report.verdict == "UNKNOWN" else ""
        raise RefusedRecord(f"checks: expected none to be {report.verdict}, found {', '.join(rules)}{hint}", report)
