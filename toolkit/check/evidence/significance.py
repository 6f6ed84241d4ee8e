"""SIGNIFICANCE: is the improvement one? By the README's rule and by the practice of the leaderboard."""

import json
import math
from collections.abc import Iterator
from statistics import fmean

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.statistics.t_tests import TTest, compare
from toolkit.check.subject.exports import bytes_per_token
from toolkit.check.subject.subject import Subject


def significance(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Mean nats a token over the seeds, against the baseline's BPB at our own bytes per token."""
    parameters, against = rule.parameters, subject.against
    expected = f">= {parameters['gain_nats']} nats a token better than the record, p < {parameters['p_value']}"
    runs = [run for run in subject.reported if bytes_per_token(run.scored) is not None]
    if against is None:
        yield rule.unknown(".", expected, "no baseline; give the scores to beat with --against")
        return
    # One conversion for both sides, so that records of another tokenizer compare by what they cost the same text.
    scale = math.log(2) * fmean(bytes_per_token(run.scored) or 0.0 for run in runs) if runs else 0.0
    new = [(run.scored.val_bpb or 0.0) * scale for run in runs]
    old = [bpb * scale for bpb in against.val_bpb]
    seeds = [run.seed for run in runs]
    readme = compare(new, old, parameters["gain_nats"], seeds, against.seeds)
    frontier = compare(new, old, 0.0, seeds, against.seeds)
    if readme is None or frontier is None:
        yield rule.unknown(".", expected, f"{len(runs)} scored seed(s); a test needs two")
        return
    meets_readme = readme.gain >= parameters["gain_nats"] and readme.p_value < parameters["p_value"]
    meets_frontier = frontier.gain > 0 and frontier.p_value < parameters["frontier_p_value"]
    found = f"{readme.gain:+.5f} nats, README {_verdict(meets_readme, readme)}, "
    found += f"frontier {_verdict(meets_frontier, frontier)}"
    # Rows of the leaderboard failed the README's test, so a stranger's failure is reported and no more.
    missed = "WARN" if meets_frontier or not subject.ours else rule.violation
    outcome = "PASS" if meets_readme else missed
    evidence = f"new {_list(new)}; {against.source}: {_list(old)} nats a token ({readme.name} t-test)"
    yield rule.finding(
        outcome, ".", f"{expected}; leaderboard practice: p < {parameters['frontier_p_value']}", found, evidence
    )


def _verdict(met: bool, test: TTest) -> str:
    return f"{'met' if met else 'not met'} (p = {test.p_value:.3g})"


def _list(values: list[float]) -> str:
    return json.dumps([round(value, 5) for value in values])
