"""The facts behind a report: values with the file, line and text they were read from, and what contradicts what."""

from statistics import fmean, stdev
from typing import Any

from toolkit.check.evidence.record_files import missing_required_files
from toolkit.check.rulebook.ruleset import EDITION
from toolkit.check.subject.claims import finite
from toolkit.check.subject.seed_runs import MEASURES, SeedRun
from toolkit.check.subject.statements import statements
from toolkit.check.subject.subject import Subject


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


def _entry(subject: Subject, run: SeedRun) -> dict[str, Any]:
    logs = dict.fromkeys(subject.where(log) for log in (run.scored, run.trained))
    headline = run.scored.headline
    entry = run.measures() | {"log": " + ".join(logs), "score_key": headline.key if headline else None}
    if run.seed_in_filename not in (None, run.seed):
        entry["seed_in_filename"] = run.seed_in_filename
    sources: dict[str, Any] = {}
    for name in MEASURES:
        if fact := run.log_of(name).source(name):
            sources[name] = {"file": subject.where(run.log_of(name)), "line": fact.line, "text": fact.text}
    return entry | {"sources": sources}
