"""TOKENIZER-BYTES: how many bytes per token a score assumes, against those that the text has."""

import math
import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule, load_exports
from toolkit.check.subject.exports import data_names, find_export, is_cut, is_named, names_fineweb, scored_targets
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import RunLog, Score

_MIXTURE = re.compile(r"ppm|mix|n_?gram|cache|oracle|knn", re.IGNORECASE)


def tokenizer_bytes(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Implied bytes per token against the export's, or against the bytes and targets that the log prints."""
    if not subject.reported:
        yield _claimed_bytes(subject, rule)
    for run in subject.reported:
        yield _implied_bytes(subject, rule, run.scored)


def _claimed_bytes(subject: Subject, rule: Rule) -> Finding:
    """Without a log claims can raise a doubt, where script and README name one export, and clear nothing.

    Only far more bytes than the export has are one, as claims are rounded.
    """
    claims, text = subject.claims, subject.readme + (subject.script.text if subject.script else "")
    named = [export for export in load_exports() if is_named(export, text)]
    if claims and claims.val_loss and claims.val_bpb and len(named) == 1:
        ratio, true = claims.val_loss / (math.log(2) * claims.val_bpb), named[0].bytes / named[0].tokens
        if ratio / true - 1 > rule.parameters["part_deviation"]:
            expected = f"{true:.4f} bytes per token ({named[0].name})"
            return rule.finding("WARN", claims.where, expected, f"{ratio:.4f} bytes per token, claimed without a log")
    return rule.unknown(".", "bytes per token implied by val_loss and val_bpb", "no log")


def _implied_bytes(subject: Subject, rule: Rule, log: RunLog) -> Finding:
    headline, true = log.headline, _true_ratio(log, rule)
    if headline is None or headline.bytes_per_token is None:
        return rule.unknown(subject.where(log), "bytes per token implied by val_loss and val_bpb", "no finite score")
    where, found = subject.where(log, headline.line), f"{headline.bytes_per_token:.4f} bytes per token"
    if true is None:
        return rule.unknown(where, "a known tokenizer, or lines with val_bytes and val_targets", found)
    expected, low, high = true
    tolerance, deviation = rule.parameters["tolerance"], _deviation(headline.bytes_per_token, low, high)
    if abs(deviation) <= tolerance or subject.ours:
        return rule.judge(abs(deviation) <= tolerance, where, expected, found, headline.text)
    score = _network_score(log, headline)
    if score is not headline and score.bytes_per_token:
        found += f" of a mixture; {score.bytes_per_token:.4f} under {score.key}"
        deviation = _deviation(score.bytes_per_token, low, high)
    if targets := scored_targets(log):
        found += f"; {targets * (score.bytes_per_token or 0.0):,.0f} bytes"
    doubt = "" if abs(deviation) <= tolerance else _other_reason(rule, log, deviation)
    outcome = "WARN" if doubt or abs(deviation) <= tolerance else rule.violation
    return rule.finding(outcome, where, expected, "; ".join(filter(None, (found, doubt))), score.text)


def _deviation(ratio: float, low: float, high: float) -> float:
    """Relative, above 0 for too many bytes."""
    return ratio / high - 1 if ratio > high else min(0.0, ratio / low - 1)


def _network_score(log: RunLog, headline: Score) -> Score:
    """The headline, or the last score of the network alone where the headline is one of a mixture.

    A mixture over bytes takes the loss from the network and the bits from elsewhere, so the two tell of no table.
    """
    if not _MIXTURE.search(headline.key):
        return headline
    alone = [score for score in (log.validation, *log.scores) if score and not _MIXTURE.search(score.key)]
    return next((score for score in reversed(alone) if score.bytes_per_token), headline)


def _true_ratio(log: RunLog, rule: Rule) -> tuple[str, float, float] | None:
    """What is expected, and the lowest and highest number of bytes per token; None for an unknown text."""
    export, targets = find_export(log), scored_targets(log)
    if export:
        ratio = export.bytes / export.tokens
        return f"{ratio:.4f} bytes per token ({export.name})", ratio, ratio
    if names_fineweb(data_names(log)) and targets:
        low, high = rule.parameters["text_bytes"]
        return f"{low:,} to {high:,} bytes of text", low / targets, high / targets
    if targets and (total := log.number("val_bytes")):
        return f"{total / targets:.4f} bytes per token (val_bytes / val_targets)", total / targets, total / targets
    return None


def _other_reason(rule: Rule, log: RunLog, deviation: float) -> str:
    """What else than a byte that counts twice explains a deviation, empty for nothing."""
    if deviation < 0:
        return "fewer than there are, which makes the score worse"
    targets, export = scored_targets(log), find_export(log)
    if export is None and targets and is_cut(targets):
        return "a stream cut at a round number, of which the true bytes are unknown"
    whole = targets and (export is None or targets >= rule.parameters["subset_share"] * export.tokens)
    if not whole and deviation <= rule.parameters["part_deviation"]:
        return "of a part of the text perhaps"
    return ""
