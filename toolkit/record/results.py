"""The table of a record: a row per seed, then mean and deviation; for README, PR text and terminal alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.check.rulebook.limits import bytes_left
from toolkit.record.runs import Run
from toolkit.record.submission import mean, sample_deviation
from toolkit.run.progress import stage_title


@dataclass(frozen=True)
class Results:
    """Cells as text; the first column says whose row it is."""

    header: list[str]
    seeds: list[list[str]]
    summary: list[list[str]]  # mean and standard deviation; empty for a single seed

    def markdown(self) -> str:
        """As a pipe table, numbers to the right."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        return "\n".join("| " + " | ".join(row) + " |" for row in [self.header, rule, *self.seeds, *self.summary])


def make_results(runs: Sequence[Run]) -> Results:
    """Bytes, steps, seconds and the BPB after each stage, from the logs of runs of one script."""
    stages = list(dict.fromkeys(score.stage for run in runs for score in run.log.scores))
    bpb = [{score.stage: score.val_bpb for score in run.log.scores} for run in runs]
    header = ["seed", "code", "model", "total", "left", "steps", "train s", "eval s", *map(stage_title, stages)]
    seeds = [
        [str(run.seed), *_costs(run), *(f"{scores[stage]:.4f}" if stage in scores else "" for stage in stages)]
        for run, scores in zip(runs, bpb, strict=True)
    ]
    summary = []
    if len(runs) > 1:
        blank = [""] * (len(header) - 1 - len(stages))
        columns = [[scores[stage] for scores in bpb if stage in scores] for stage in stages]
        summary.append(["mean", *blank, *(f"{mean(column):.4f}" for column in columns)])
        summary.append(["std", *blank, *(f"{sample_deviation(column) or 0.0:.4f}" for column in columns)])
    return Results(header, seeds, summary)


def _costs(run: Run) -> list[str]:
    """Cells for code, model, total, left under the cap, steps, seconds of training and of evaluation."""
    steps, train_seconds = run.log.steps, run.log.train_seconds
    return [
        f"{run.measure('code_bytes'):,}",
        f"{run.measure('model_bytes'):,}",
        f"{run.artifact_bytes:,}",
        f"{bytes_left(run.artifact_bytes):,}",
        f"{steps:,}" if steps is not None else "",
        f"{train_seconds:.1f}" if train_seconds is not None else "",
        f"{run.measure('eval_seconds'):.1f}",
    ]
