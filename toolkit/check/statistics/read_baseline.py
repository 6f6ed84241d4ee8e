"""Scores to compare with, from numbers, a submission file, logs, a records folder or a leaderboard."""

import re
from pathlib import Path
from statistics import fmean

from toolkit.check.statistics.leaderboard import bar_to_beat, parse_leaderboard, read_document
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.claims import finite, parse_claims
from toolkit.check.subject.exports import bytes_per_token
from toolkit.check.subject.subject import load_subject
from toolkit.errors import GolfError


def read_baseline(text: str) -> Baseline:
    """Numbers such as `1.0810,1.0812`, a submission file, a log, a records folder (its logs, else its claims), or a
    leaderboard: README.md or `REPO@COMMIT:README.md`."""
    if re.fullmatch(r"[\d.,\s]+", text) and not Path(text).exists():
        try:
            scores = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise GolfError(f"scores: expected numbers such as 1.0810,1.0812, found {text!r}") from None
        return Baseline(text, scores)
    path = Path(text)
    if path.suffix == ".md" or ("@" in text and not path.exists()):
        return Baseline(text, (bar_to_beat(parse_leaderboard(read_document(text))).val_bpb,))
    if path.is_dir() or path.suffix in (".log", ".txt"):
        subject = load_subject(path)
        scored = [(run.seed, bpb) for run in subject.reported if (bpb := finite(run.scored.val_bpb)) is not None]
        if scored:
            seeds = tuple(seed for seed, _ in scored if seed is not None)
            ratios = [ratio for run in subject.reported if (ratio := bytes_per_token(run.scored))]
            known = seeds if len(seeds) == len(scored) else None
            return Baseline(path.name, tuple(bpb for _, bpb in scored), known, fmean(ratios) if ratios else None)
        claims = subject.claims
    elif path.is_file():
        claims = parse_claims(read_document(text), str(path))
    else:
        raise GolfError(
            f"scores: expected scores, a submission.json, a log, a records folder or a README.md, found {text!r}"
        )
    claimed = {seed: entry["val_bpb"] for seed, entry in (claims.seeds if claims else {}).items() if "val_bpb" in entry}
    if claimed:
        return Baseline(path.name, tuple(claimed.values()), tuple(claimed))
    if claims is None or claims.val_bpb is None:
        raise GolfError(f"scores: expected val_bpb in {text}, found none")
    return Baseline(path.name, (claims.val_bpb,))


def read_scores(texts: tuple[str, ...]) -> Baseline:
    """Several sources as one set of scores."""
    parts = [read_baseline(text) for text in texts]
    seeds = [seed for part in parts for seed in part.seeds or (None,) * len(part.val_bpb)]
    ratios = [part.bytes_per_token for part in parts if part.bytes_per_token]
    known = tuple(seed for seed in seeds if seed is not None)
    scores = tuple(bpb for part in parts for bpb in part.val_bpb)
    label = ", ".join(part.source for part in parts)
    return Baseline(label, scores, known if len(known) == len(seeds) else None, fmean(ratios) if ratios else None)
