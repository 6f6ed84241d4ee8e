"""What a submission says of its score, size and seeds, place by place, so that contradictions can be seen."""

import re
from dataclasses import dataclass

from toolkit.check.subject.subject import Subject
from toolkit.folders import README_NAME

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
            found += [Statement(float(score), README_NAME, number, text) for score in _README_SCORE.findall(text)]
    return found
