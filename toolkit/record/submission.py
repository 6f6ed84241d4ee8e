"""`submission.json`: every number read from a log or counted from a file."""

import statistics
from collections.abc import Sequence
from typing import Any

from toolkit.record.runs import Build, Run

_DIGITS = 8  # as printed by the logs


def make_submission(build: Build, runs: Sequence[Run], given: dict[str, str]) -> dict[str, Any]:
    """The submission of runs of a build. `given` holds what a person says: author, github_id, name, blurb and date.

    Scores are means over the seeds with sample standard deviations (None for a single seed); bytes are those of the
    largest seed, as the cap applies to every one.
    """
    largest = max(runs, key=lambda run: run.artifact_bytes)
    val_bpb = [run.headline.val_bpb for run in runs]
    val_loss = [run.headline.val_loss for run in runs]
    return {
        **given,
        "track": build.cfg.track,
        "val_bpb": mean(val_bpb),
        "val_loss": mean(val_loss),
        "val_bpb_std": sample_deviation(val_bpb),
        "val_loss_std": sample_deviation(val_loss),
        "bytes_total": largest.artifact_bytes,
        "bytes_code": build.code_bytes,
        "bytes_model_compressed": largest.measure("model_bytes"),
        "seeds": [run.seed for run in runs],
        "seed_results": {str(run.seed): _seed_result(run) for run in runs},
        "hardware": ", ".join(sorted({str(run.log.facts["hardware"].value) for run in runs})),
        "bundle_sha256": build.sha256,
        "recipe": build.cfg.name,
    }


def mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), _DIGITS)


def sample_deviation(values: Sequence[float]) -> float | None:
    """Standard deviation with n - 1, or None for fewer than two values."""
    return round(statistics.stdev(values), _DIGITS) if len(values) > 1 else None


def _seed_result(run: Run) -> dict[str, Any]:
    return {
        "val_bpb": run.headline.val_bpb,
        "val_loss": run.headline.val_loss,
        "artifact_bytes": run.artifact_bytes,
        "steps": run.log.steps,
        "train_time_s": run.log.train_seconds,
        "eval_time_s": run.measure("eval_seconds"),
    }
