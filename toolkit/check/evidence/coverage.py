"""The metric: which text was scored, whether all of it, and how many bytes the score assumes it to have."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Export, Rule, load_exports
from toolkit.check.subject.subject import Subject
from toolkit.run.runlog import RunLog, Score

_SAME_COUNT = 0.0005  # relative; exports differ by far more, dropped tails by less
_TEXT_BYTES = 151_076_000  # the validation text, within what normalisation of tokenizers changes
_ROUND = 1_000_000  # tokens
_LONGEST_WINDOW = 8_192  # tokens of a last window that a cut stream may lack
_SAME_SCORE_BPB = 0.0005
_MIXTURE = re.compile(r"ppm|mix|n_?gram|cache|oracle|knn", re.IGNORECASE)
_DATA_SETTINGS = ("data_path", "datasets_dir", "dataset", "train_loader", "tokenizer_path", "tokenizer")


def scored_targets(log: RunLog) -> int | None:
    """Number of scored targets. Published logs call it val_tokens; ours print the length of the stream as well."""
    targets: int | None = log.number("val_targets", "val_tokens")
    return targets


def data_names(log: RunLog) -> str:
    """Names of the data set and the tokenizer, without the folders they lie in."""
    paths = (log.settings[name].value.rstrip("/") for name in _DATA_SETTINGS if name in log.settings)
    return " ".join(dict.fromkeys(path.rpartition("/")[2] for path in paths))


def find_export(log: RunLog) -> Export | None:
    """The export of FineWeb's validation text that a log scored, by its count, else by the names of its data."""
    targets = scored_targets(log)
    names = data_names(log)
    for export in load_exports():
        if targets and abs(targets / export.tokens - 1) <= _SAME_COUNT:
            return export
    if targets and (ratio := bytes_per_token(log)) and abs(targets * ratio / _TEXT_BYTES - 1) <= _SAME_COUNT:
        return None  # the whole text in the tokens of a tokenizer that is not listed, whatever its name
    return next((export for export in load_exports() if _names_fineweb(names) and _matches(export, names)), None)


def bytes_per_token(log: RunLog) -> float | None:
    """Bytes of text a token that the score assumes: val_loss / (ln 2 * val_bpb)."""
    return log.headline.bytes_per_token if log.headline else None


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
    if rule.parameters["require_fineweb"] and not _names_fineweb(data_names(log)):
        expected = "FineWeb's validation text"
        return rule.judge(False, where, expected, f"{found} of {data_names(log) or 'an unnamed text'}", fact.text)
    if _names_fineweb(data_names(log)):
        ratio = bytes_per_token(log)
        low = min(export.bytes for export in load_exports())
        expected = f"{low:,} bytes of text, the tokenizer being unknown"
        if ratio is None:
            return rule.unknown(where, expected, f"{found} without a score")
        if is_cut(targets) and abs(targets * ratio / _TEXT_BYTES - 1) > _SAME_COUNT:
            return rule.finding("WARN", where, expected, f"{found}, a stream cut at a round number", fact.text)
        return rule.judge(targets * ratio >= low * rule.parameters["subset_share"], where, expected, found, fact.text)
    if "val_targets" not in log.facts:
        return rule.unknown(where, "val_targets beside val_tokens, the text being unknown", found)
    expected = "all targets of the stream, as many for each seed"
    return rule.judge(seeds_agree, where, expected, found, fact.text)


def _mixed_part(subject: Subject, rule: Rule, log: RunLog) -> Iterator[Finding]:
    """A mixture that was computed over the first part of the text only, where its score is the one that is claimed."""
    covered, score = log.facts.get("mix_bytes"), log.number("mix_bpb")
    if covered is None or score is None or covered.value >= _TEXT_BYTES * rule.parameters["subset_share"]:
        return
    claims = subject.claims
    claimed = [claims.val_bpb, *(entry.get("val_bpb") for entry in claims.seeds.values())] if claims else [score]
    if any(value is not None and abs(value - score) <= _SAME_SCORE_BPB for value in claimed):
        found = f"a mixture over {covered.value:,} bytes, {covered.value / _TEXT_BYTES:.1%} of the text"
        where = subject.where(log, covered.line)
        yield rule.finding("WARN", where, f"{_TEXT_BYTES:,} bytes under the claimed score", found, covered.text)


def is_cut(targets: int) -> bool:
    """Does a stream end at a round number of tokens, but for a last window? Then its bytes say nothing of the text."""
    return targets >= _ROUND and -targets % _ROUND < _LONGEST_WINDOW


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
    named = [export for export in load_exports() if _matches(export, text)]
    if claims and claims.val_loss and claims.val_bpb and len(named) == 1:
        ratio, true = claims.val_loss / (math.log(2) * claims.val_bpb), named[0].bytes / named[0].tokens
        if ratio / true - 1 > rule.parameters["part_deviation"]:
            expected = f"{true:.4f} bytes a token ({named[0].name})"
            return rule.finding("WARN", claims.where, expected, f"{ratio:.4f} bytes a token, claimed without a log")
    return rule.unknown(".", "bytes per token implied by val_loss and val_bpb", "no log")


def _implied_bytes(subject: Subject, rule: Rule, log: RunLog) -> Finding:
    headline, true = log.headline, _true_ratio(log, rule)
    if headline is None or headline.bytes_per_token is None:
        return rule.unknown(subject.where(log), "bytes per token implied by val_loss and val_bpb", "no finite score")
    where, found = subject.where(log, headline.line), f"{headline.bytes_per_token:.4f} bytes a token"
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
    """What is expected, and the lowest and highest number of bytes a token; None for an unknown text."""
    export, targets = find_export(log), scored_targets(log)
    if export:
        ratio = export.bytes / export.tokens
        return f"{ratio:.4f} bytes a token ({export.name})", ratio, ratio
    if _names_fineweb(data_names(log)) and targets:
        low, high = rule.parameters["text_bytes"]
        return f"{low:,} to {high:,} bytes of text", low / targets, high / targets
    if targets and (total := log.number("val_bytes")):
        return f"{total / targets:.4f} bytes a token (val_bytes / val_targets)", total / targets, total / targets
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


def normalized(subject: Subject, rule: Rule) -> Iterator[Finding]:
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


def _names_fineweb(names: str) -> bool:
    return "fineweb" in names.lower()


def _matches(export: Export, names: str) -> bool:
    """sp10240 is not sp1024."""
    return any(re.search(rf"{re.escape(part)}(?!\d)", names, re.IGNORECASE) for part in export.match)
