"""The metric: which text was scored, whether all of it, and how many bytes the score assumes it to have."""

import math
from collections.abc import Iterator

from toolkit.check.report import Finding
from toolkit.check.ruleset import Export, Rule, load_exports
from toolkit.check.subject import Subject
from toolkit.run.runlog import RunLog

_SAME_COUNT = 0.0005  # relative; exports differ by far more, dropped tails by less
_TEXT_BYTES = 151_076_000  # the validation text, within what normalisation of tokenizers changes
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
    loss, bpb = log.val_loss, log.val_bpb
    if loss is None or bpb is None or not (math.isfinite(loss) and math.isfinite(bpb)) or loss <= 0 or bpb <= 0:
        return None
    return loss / (math.log(2) * bpb)


def full_val_coverage(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Targets scored, against the known count of the export; for another text against the length of its stream."""
    counts = {run.scored.number("val_tokens") for run in subject.reported} - {None}
    if not subject.reported:
        yield rule.unknown(".", "every target of the validation split scored once", "no log")
    for run in subject.reported:
        yield _coverage(subject, rule, run.scored, len(counts) <= 1)


def _coverage(subject: Subject, rule: Rule, log: RunLog, seeds_agree: bool) -> Finding:
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
        return rule.judge(targets * ratio >= low * rule.parameters["subset_share"], where, expected, found, fact.text)
    if "val_targets" not in log.facts:
        return rule.unknown(where, "val_targets beside val_tokens, the text being unknown", found)
    expected = "all targets of the stream, as many for each seed"
    return rule.judge(seeds_agree, where, expected, found, fact.text)


def tokenizer_bytes(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """Implied bytes per token against the export's, or against the bytes and targets that the log prints."""
    if not subject.reported:
        yield rule.unknown(".", "bytes per token implied by val_loss and val_bpb", "no log")
    for run in subject.reported:
        yield _implied_bytes(subject, rule, run.scored)


def _implied_bytes(subject: Subject, rule: Rule, log: RunLog) -> Finding:
    ratio, headline = bytes_per_token(log), log.headline
    if ratio is None or headline is None:
        return rule.unknown(subject.where(log), "bytes per token implied by val_loss and val_bpb", "no finite score")
    where, tolerance = subject.where(log, headline.line), rule.parameters["tolerance"]
    export, targets = find_export(log), scored_targets(log)
    found = f"{ratio:.4f} bytes a token"
    if export:
        true = export.bytes / export.tokens
        expected = f"{true:.4f} bytes a token ({export.name})"
        if tolerance < abs(ratio / true - 1) <= rule.parameters.get("small_deviation", 0.0):
            return rule.finding("WARN", where, expected, f"{found}, of a part of the text perhaps", headline.text)
        return rule.judge(abs(ratio / true - 1) <= tolerance, where, expected, found, headline.text)
    if _names_fineweb(data_names(log)) and targets:
        low, high = rule.parameters["text_bytes"]
        expected = f"{low:,} to {high:,} bytes of text"
        implied = targets * ratio
        holds = low * (1 - tolerance) <= implied <= high * (1 + tolerance)
        return rule.judge(holds, where, expected, f"{implied:,.0f} bytes, {found}", headline.text)
    if targets and log.number("val_bytes"):
        true = log.number("val_bytes") / targets
        expected = f"{true:.4f} bytes a token (val_bytes / val_targets)"
        return rule.judge(abs(ratio / true - 1) <= tolerance, where, expected, found, headline.text)
    return rule.unknown(where, "a known tokenizer, or lines with val_bytes and val_targets", found)


def normalized(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """A score that no network has reached, far below what the same run printed without its mixer, asks for a probe."""
    best, parameters = rule.parameters["best_network_bpb"], rule.parameters
    expected = f">= {best} BPB, or no better than the network alone by {parameters['gap_bpb']} and more"
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
    return any(part in names.lower() for part in export.match)
