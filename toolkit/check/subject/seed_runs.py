"""Which of a folder's runs a submission reports: one a seed, of one configuration, repetitions dropped."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.check.subject.claims import Claims
from toolkit.run.runlog import RunLog

MEASURES = ("seed", "val_bpb", "val_loss", "artifact_bytes", "train_seconds", "eval_seconds", "steps")
_OF_THE_SCORE = ("val_bpb", "val_loss", "eval_seconds")


@dataclass(frozen=True)
class SeedRun:
    """A run that counts. Clock and size come from `trained`; the score may come from a later evaluation, `scored`."""

    trained: RunLog
    scored: RunLog

    @property
    def seed(self) -> int | None:
        return self.trained.seed

    @property
    def seed_in_filename(self) -> int | None:
        match = re.search(r"(?:seed|log|train)[_-]?(\d{1,18})(?![\da-z])", self.trained.path.name)
        return int(match[1]) if match else None

    def claimed_as(self, claims: Claims) -> int | None:
        """The claimed seed that this run stands for, by its log or else by the log's name."""
        return next((seed for seed in (self.seed, self.seed_in_filename) if seed in claims.seeds), None)

    def log_of(self, measure: str) -> RunLog:
        """Which of the two a measure is read from."""
        return self.scored if measure in _OF_THE_SCORE else self.trained

    def measures(self) -> dict[str, Any]:
        """The facts of a seed under the names of `Report.to_json`."""
        return {name: getattr(self.log_of(name), name) for name in MEASURES}


def select_reported(runs: Sequence[RunLog], claims: Claims | None) -> tuple[list[SeedRun], list[SeedRun]]:
    """Reported runs in order of their logs, and the rest.

    A submission is one configuration (here: one planned number of steps): that of the run closest to the claimed score,
    or of the best run when nothing is claimed; a claimed seed counts in any case. Of several runs of a seed the closest
    counts, the last among equals. An evaluation of an existing artifact replaces the score of its seed when that comes
    closer to the claim.
    """
    first: dict[tuple[Any, ...], RunLog] = {}
    for run in runs:
        first.setdefault(tuple(SeedRun(run, run).measures().values()), run)
    distinct = list(first.values())
    seeds_trained = {run.seed for run in distinct if run.trained}
    trained = [run for run in distinct if run.trained or run.seed not in seeds_trained]
    rescored = [run for run in distinct if not run.trained and run.seed in seeds_trained]

    def distance(run: RunLog) -> float:
        score = run.val_bpb if run.val_bpb is not None and math.isfinite(run.val_bpb) else math.inf
        claimed = claims.val_bpb if claims else None
        if claims and run.seed in claims.seeds:
            claimed = claims.seeds[run.seed].get("val_bpb", claimed)
        return score if claimed is None else abs(score - claimed)

    closest = min(trained, key=distance, default=None)
    alike = [run for run in trained if closest and run.number("iterations") == closest.number("iterations")]
    seeds = {run.seed for run in alike}
    alike += [run for run in trained if claims and run.seed in claims.seeds.keys() - seeds]
    if claims and any(run.seed in claims.seeds for run in alike):  # a seed that nobody claims is a side run
        alike = [run for run in alike if _claimed(run, claims)]
    chosen: dict[int | None, RunLog] = {}
    for run in alike:
        if run.seed not in chosen or distance(run) <= distance(chosen[run.seed]):
            chosen[run.seed] = run
    reported = []
    for run in sorted(chosen.values(), key=trained.index):
        scored = min([run, *(other for other in rescored if other.seed == run.seed)], key=distance)
        reported.append(SeedRun(run, scored))
    used = [log for run in reported for log in (run.trained, run.scored)]
    extra = [SeedRun(run, run) for run in distinct if run not in used]
    extra += [SeedRun(run.trained, run.trained) for run in reported if run.scored is not run.trained]
    return reported, extra


def _claimed(run: RunLog, claims: Claims) -> bool:
    return run.seed is None or SeedRun(run, run).claimed_as(claims) is not None
