"""FULL-VAL-COVERAGE: which text was scored, and whether all of it."""

from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule, load_exports
from toolkit.check.subject.exports import (
    SAME_COUNT,
    TEXT_BYTES,
    bytes_per_token,
    data_names,
    find_export,
    is_cut,
    names_fineweb,
    scored_targets,
)
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import RunLog

_SAME_SCORE_BPB = 0.0005


def full_val_coverage(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Targets scored, against the known count of the export; for another text against the length of its stream.

    The verdict policy knows no FAIL for another's log; one of ours is written by a program that scores all of it.
    """
    counts = {run.scored.number("val_tokens") for run in subject.reported} - {None}
    if not subject.reported:
        yield rule.unknown(".", "every target of the validation split scored once", "no log")
    for run in subject.reported:
        finding = _coverage(rule, subject, run.scored, len(counts) <= 1)
        yield replace(finding, outcome="WARN") if finding.outcome == "FAIL" and not subject.ours else finding
        yield from _mixed_part(subject, rule, run.scored)


def _coverage(rule: Rule, subject: Subject, log: RunLog, seeds_agree: bool) -> Finding:
    stream, targets, export = log.number("val_tokens"), scored_targets(log), find_export(log)
    fact = log.facts.get("val_targets", log.facts.get("val_tokens"))
    if fact is None or targets is None or stream is None:
        return rule.unknown(subject.where(log), "every target of the validation split", "no line with val_tokens")
    where, found = subject.where(log, fact.line), f"{targets:,} targets"
    if "val_targets" in log.facts and targets != stream - 1:
        return rule.judge(False, where, f"{stream - 1:,} targets (val_tokens - 1)", found, fact.text)
    if export:
        expected = f"{export.tokens:,} targets ({export.name})"
        share = targets / export.tokens
        if share < rule.parameters["subset_share"]:
            return rule.judge(False, where, expected, f"{found}, {share:.1%} of the text", fact.text)
        outcome = "PASS" if abs(share - 1) <= rule.parameters["tolerance"] else "WARN"
        return rule.finding(outcome, where, expected, found, fact.text)
    if rule.parameters["require_fineweb"] and not names_fineweb(data_names(log)):
        expected = "FineWeb's validation text"
        return rule.judge(False, where, expected, f"{found} of {data_names(log) or 'an unnamed text'}", fact.text)
    if names_fineweb(data_names(log)):
        ratio = bytes_per_token(log)
        low = min(export.bytes for export in load_exports())
        expected = f"{low:,} bytes of text, the tokenizer being unknown"
        if ratio is None:
            return rule.unknown(where, expected, f"{found} without a score")
        if is_cut(targets) and abs(targets * ratio / TEXT_BYTES - 1) > SAME_COUNT:
            return rule.finding("WARN", where, expected, f"{found}, a stream cut at a round number", fact.text)
        return rule.judge(targets * ratio >= low * rule.parameters["subset_share"], where, expected, found, fact.text)
    if "val_targets" not in log.facts:
        return rule.unknown(where, "val_targets beside val_tokens, the text being unknown", found)
    expected = "all targets of the stream, as many for each seed"
    return rule.judge(seeds_agree, where, expected, found, fact.text)


def _mixed_part(subject: Subject, rule: Rule, log: RunLog) -> Iterator[Finding]:
    """A mixture that was computed over the first part of the text only, where its score is the one that is claimed."""
    covered, score = log.facts.get("mix_bytes"), log.number("mix_bpb")
    if covered is None or score is None or covered.value >= TEXT_BYTES * rule.parameters["subset_share"]:
        return
    claims = subject.claims
    claimed = [claims.val_bpb, *(entry.get("val_bpb") for entry in claims.seeds.values())] if claims else [score]
    if any(value is not None and abs(value - score) <= _SAME_SCORE_BPB for value in claimed):
        found = f"a mixture over {covered.value:,} bytes, {covered.value / TEXT_BYTES:.1%} of the text"
        where = subject.where(log, covered.line)
        yield rule.finding("WARN", where, f"{TEXT_BYTES:,} bytes under the claimed score", found, covered.text)
