"""C2-NORMALIZED: scores that no network has reached. The static analysis and the probes decide the rule itself."""

import math
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.subject import Subject


def plausible_score(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """A score that no network has reached, far below what the same run printed without its mixer, asks for a probe.

    So does one that is claimed without a log, which would show the score of the network alone.
    """
    best, parameters = rule.parameters["best_network_bpb"], rule.parameters
    expected = f">= {best} BPB, or no better than the network alone by {parameters['gap_bpb']} and more"
    claims = subject.claims
    if not subject.reported and claims and 0 < (claims.val_bpb or 0) < best:
        found = f"{claims.val_bpb:.4f} BPB, claimed without a log; the sum over all tokens has to be probed"
        yield rule.finding("WARN", claims.where, expected, found)
    for run in subject.reported:
        log, headline = run.scored, run.scored.headline
        if headline is None or not math.isfinite(headline.val_bpb):
            continue
        alone = [score.val_bpb for score in (log.validation, *log.scores) if score and math.isfinite(score.val_bpb)]
        alone = [bpb for bpb in alone if bpb < parameters["broken_bpb"]]
        gap = max(alone, default=headline.val_bpb) - headline.val_bpb
        found = f"{headline.val_bpb:.4f} BPB"
        suspicious = headline.val_bpb < best and gap >= parameters["gap_bpb"]
        if suspicious:
            found += f", {headline.val_bpb + gap:.4f} before; the sum over all tokens has to be probed"
        outcome = "WARN" if suspicious else "PASS"
        yield rule.finding(outcome, subject.where(log, headline.line), expected, found, headline.text)
