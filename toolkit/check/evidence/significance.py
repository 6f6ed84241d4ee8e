"""SIGNIFICANCE: is the improvement one? By the README's rule and by the practice of the leaderboard."""

import json
from collections.abc import Iterator, Sequence
from statistics import fmean

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.limits import significance_bars
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.statistics.compare import compare_scores
from toolkit.check.statistics.t_tests import TTest
from toolkit.check.subject.baseline import Baseline
from toolkit.check.subject.exports import bytes_per_token
from toolkit.check.subject.subject import Subject


def significance(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Mean nats per token over the seeds, against the baseline's BPB at our own bytes per token."""
    bars, against = significance_bars(), subject.against
    expected = f">= {bars['gain_nats']} nats per token better than the record, p < {bars['p_value']}"
    if against is None:
        yield rule.unknown(".", expected, "no baseline; give the scores to beat with --against")
        return
    runs = [(run, ratio) for run in subject.reported if (ratio := bytes_per_token(run.scored)) is not None]
    scores = tuple(run.scored.val_bpb or 0.0 for run, _ in runs)
    seeds = tuple(run.seed for run, _ in runs)
    # One conversion for both sides, so that records of another tokenizer compare by what they cost the same text.
    ratio = fmean(ratio for _, ratio in runs) if runs else None
    comparison = compare_scores(Baseline(".", scores, seeds, ratio), against) if len(runs) > 1 else None
    if comparison is None or comparison.readme is None or comparison.frontier is None:
        yield rule.unknown(".", expected, f"{len(runs)} scored seed(s); a test needs two")
        return
    found = f"{comparison.gain_nats:+.5f} nats, README {_verdict(comparison.meets_readme, comparison.readme)}, "
    found += f"frontier {_verdict(comparison.meets_frontier, comparison.frontier)}"
    # Rows of the leaderboard failed the README's test, so a stranger's failure is reported and no more.
    missed = "WARN" if comparison.meets_frontier or not subject.ours else rule.violation
    new, old = _list(comparison.new), _list(comparison.old)
    evidence = f"new {new}; {against.source}: {old} nats per token ({comparison.readme.name} t-test)"
    expected += f"; leaderboard practice: p < {bars['frontier_p_value']}"
    yield rule.finding("PASS" if comparison.meets_readme else missed, ".", expected, found, evidence)


def _verdict(met: bool, test: TTest) -> str:
    return f"{'met' if met else 'not met'} (p = {test.p_value:.3g})"


def _list(values: Sequence[float]) -> str:
    return json.dumps([round(value, 5) for value in values])
