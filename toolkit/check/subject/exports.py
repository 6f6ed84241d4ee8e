"""Which export of FineWeb's validation text a log scored, and how much of text its numbers stand for."""

import re

from toolkit.check.rulebook.ruleset import Export, load_exports
from toolkit.run.runlog import RunLog

SAME_COUNT = 0.0005  # relative; exports differ by far more, dropped tails by less
TEXT_BYTES = 151_076_000  # the validation text, within what normalisation of tokenizers changes
_ROUND = 1_000_000  # tokens
_LONGEST_WINDOW = 8_192  # tokens of a last window that a cut stream may lack
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
        if targets and abs(targets / export.tokens - 1) <= SAME_COUNT:
            return export
    if targets and (ratio := bytes_per_token(log)) and abs(targets * ratio / TEXT_BYTES - 1) <= SAME_COUNT:
        return None  # the whole text in the tokens of a tokenizer that is not listed, whatever its name
    return next((export for export in load_exports() if names_fineweb(names) and is_named(export, names)), None)


def bytes_per_token(log: RunLog) -> float | None:
    """Bytes of text a token that the score assumes: val_loss / (ln 2 * val_bpb)."""
    return log.headline.bytes_per_token if log.headline else None


def is_cut(targets: int) -> bool:
    """Does a stream end at a round number of tokens, but for a last window? Then its bytes say nothing of the text."""
    return targets >= _ROUND and -targets % _ROUND < _LONGEST_WINDOW


def names_fineweb(names: str) -> bool:
    """Does a name of data or of a tokenizer speak of FineWeb?"""
    return "fineweb" in names.lower()


def is_named(export: Export, names: str) -> bool:
    """Is the export among these names? sp10240 is not sp1024."""
    return any(re.search(rf"{re.escape(part)}(?!\d)", names, re.IGNORECASE) for part in export.match)
