"""The facts behind a report: values with the file, line and text they were read from, and what contradicts what."""

import re
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from toolkit.check.evidence.record_files import missing_required_files
from toolkit.check.rulebook.ruleset import EDITION
from toolkit.check.subject.claims import finite
from toolkit.check.subject.seed_runs import SeedRun
from toolkit.check.subject.subject import Subject

_BEHIND = {  # measure -> names of the facts of a log, the first that is there counts
    "seed": ("seed",),
    "artifact_bytes": ("total_bytes",),
    "train_seconds": ("stop_ms", "validation_ms", "calibrated_ms", "step_ms"),
    "steps": ("stop_step", "validation_step", "step"),
}
_README_SCORE = re.compile(r"\b(\d\.\d{3,8})\b")
_FOLDER_SCORE = re.compile(r"(?:^|_)(\d\.\d{3,6})(?=_|$)")
_MAX_STATEMENTS = 200


@dataclass(frozen=True)
class Statement:
    """Somebody's word on a value."""

    value: float
    file: str
    line: int | None = None
    text: str = ""


def collect_facts(subject: Subject) -> dict[str, Any]:
    """What the findings rest on, under the names of the published fixtures."""
    seeds = [_entry(subject, run) for run in subject.reported]
    if not seeds and subject.claims:  # nothing but claims; their source says so
        claims = subject.claims
        measures = dict.fromkeys(("seed", "train_seconds", "eval_seconds", "steps"))
        scores = {"val_bpb": claims.val_bpb, "val_loss": claims.val_loss, "artifact_bytes": claims.bytes_total}
        seeds = [measures | scores | {"log": None, "score_key": claims.where, "sources": {}}]
    facts: dict[str, Any] = {
        "kind": subject.kind,
        "commit": subject.commit,
        "path": subject.root.as_posix() if subject.commit else None,
        "track": subject.track,
        "edition": EDITION,
        "seeds": seeds,
        "extra_runs": [_entry(subject, run) for run in subject.extra],
        "code_bytes": len(subject.script.data) if subject.script else None,
    }
    for name in ("val_bpb", "val_loss"):
        values = [value for entry in seeds if (value := finite(entry[name])) is not None]
        facts[f"mean_{name}"] = fmean(values) if values else None
        facts[f"{name}_std"] = stdev(values) if len(values) > 1 else None
    if subject.kind == "record":
        facts["missing_required_files"] = missing_required_files(subject)
        facts["statements"] = {name: [vars(s) for s in said] for name, said in statements(subject).items()}
    return facts


def statements(subject: Subject) -> dict[str, list[Statement]]:
    """What logs, submission file, folder name and README say of score, size and seeds, side by side."""
    said: dict[str, list[Statement]] = {"val_bpb": [], "artifact_bytes": [], "code_bytes": [], "seed": []}
    for run in subject.reported:
        headline, name = run.scored.headline, subject.where(run.scored)
        if headline:
            said["val_bpb"].append(Statement(headline.val_bpb, name, headline.line, headline.text))
        for key, fact_name in (("artifact_bytes", "total_bytes"), ("code_bytes", "code_bytes"), ("seed", "seed")):
            if fact := run.trained.facts.get(fact_name):
                said[key].append(Statement(fact.value, subject.where(run.trained), fact.line, fact.text))
        if run.seed_in_filename is not None:
            said["seed"].append(Statement(run.seed_in_filename, f"name of {subject.where(run.trained)}"))
    if claims := subject.claims:
        code = claims.number("bytes_code", "code_bytes")
        for key, value in (("val_bpb", claims.val_bpb), ("artifact_bytes", claims.bytes_total), ("code_bytes", code)):
            said[key] += [Statement(value, claims.where)] if value is not None else []
        said["seed"] += [Statement(seed, claims.where) for seed in list(claims.seeds)[:_MAX_STATEMENTS]]
    if subject.script:
        said["code_bytes"].append(Statement(len(subject.script.data), subject.script.name))
    said["val_bpb"] += folder_scores(subject) + readme_scores(subject)
    return said


def folder_scores(subject: Subject) -> list[Statement]:
    """Scores that are part of the folder's name."""
    name = subject.root.name
    return [Statement(float(score), "folder name", None, name) for score in _FOLDER_SCORE.findall(name)]


def readme_scores(subject: Subject) -> list[Statement]:
    """Numbers with at least three decimals in lines of the README that speak of BPB."""
    found: list[Statement] = []
    for number, line in enumerate(subject.readme.splitlines(), 1):
        if "bpb" in line.lower() and len(found) < _MAX_STATEMENTS:
            text = line[:300]
            found += [Statement(float(score), "README.md", number, text) for score in _README_SCORE.findall(text)]
    return found


def _entry(subject: Subject, run: SeedRun) -> dict[str, Any]:
    logs = dict.fromkeys(subject.where(log) for log in (run.scored, run.trained))
    headline = run.scored.headline
    entry = run.measures() | {"log": " + ".join(logs), "score_key": headline.key if headline else None}
    if run.seed_in_filename not in (None, run.seed):
        entry["seed_in_filename"] = run.seed_in_filename
    sources: dict[str, Any] = {}
    for name, behind in _BEHIND.items():
        if fact := next((run.trained.facts[key] for key in behind if key in run.trained.facts), None):
            sources[name] = {"file": subject.where(run.trained), "line": fact.line, "text": fact.text}
    if headline:
        place = {"file": subject.where(run.scored), "line": headline.line, "text": headline.text}
        sources |= {name: place for name in ("val_bpb", "val_loss", "eval_seconds") if entry[name] is not None}
    return entry | {"sources": sources}
