"""TOKENIZER-NORMALIZATION: signs that a tokenizer loses the case of its text, in names, sources, model and README.

Lossless case operators are told apart by what only they have: a side file with the bytes of every token. Whether a
tokenizer loses anything else is not seen without running it over the text.
"""

import ast
import re
from collections.abc import Iterator

from toolkit.check.rulebook.finding import Finding
from toolkit.check.rulebook.ruleset import Rule
from toolkit.check.subject.files import Source
from toolkit.check.subject.subject import Subject
from toolkit.errors import GolfError
from toolkit.run.runlog import Fact
from toolkit.unpack.unpack import parse_source, unpack

_Sign = tuple[str, str, str]  # place, what was found, evidence

_FOLDED = re.compile(r"case[-_ ]?fold|lower[-_ ]?cas(?:e|ed|ing)(?![a-z])|uncased|nfkc_cf", re.IGNORECASE)
_LOSSLESS = re.compile(r"caseops|lossless[-_]caps", re.IGNORECASE)
_OF_TEXT = re.compile(r"text|token|fineweb|corpus|vocab", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:no|not|without|never|unlike|instead of|rather than)\b|n't\b", re.IGNORECASE)
_TEXT_NAME = re.compile(r"text|docs?$|document|line|content|sentence|story|normalize", re.IGNORECASE)
_TOKENIZES = re.compile(r"SentencePieceTrainer|\bencode(?:_as_\w+|_batch|_ordinary)?\(|EncodeAs\w+\(")
_NORMALIZER = re.compile(rb"n(?:mt_n)?fkc_cf")  # the name that a SentencePiece model keeps of its normaliser
_DATA_SETTINGS = ("data_path", "data_dir", "datasets_dir", "dataset", "train_loader", "tokenizer_path", "tokenizer")
_MAX_SOURCE_BYTES = 1 << 20
_MAX_SOURCES_BYTES = 2 << 20  # of all together; some folders hold every script of a sweep
_MAX_MODEL_BYTES = 8 << 20
_SHOWN = 10


def tokenizer_normalization(subject: Subject, rule: Rule) -> Iterator[Finding]:
    """A finding for each place that tells of folded case, else one for lossless operators or for no sign at all."""
    expected = "tokens that give the text back"
    settings = list(_data_settings(subject))
    lossless = next((sign for sign in settings if _LOSSLESS.search(sign[1])), None)
    if lossless:
        where, found, evidence = lossless
        yield rule.finding("PASS", where, expected, f"{found}: case operators, with the bytes in a side file", evidence)
        return
    named = {found: (where, found, evidence) for where, found, evidence in reversed(settings) if _FOLDED.search(found)}
    signs = [*named.values(), *_in_files(subject.source), *_in_readme(subject)]
    for where, found, evidence in signs[:_SHOWN]:
        yield rule.finding("WARN", where, expected, found, evidence)
    if not signs:
        yield rule.finding("PASS", ".", expected, "no sign of folded case in names, sources, model and README")


def _data_settings(subject: Subject) -> Iterator[_Sign]:
    """Names of data set and tokenizer in the logs."""
    for run in subject.reported:
        named: dict[str, Fact] = {k: f for k, f in run.scored.settings.items() if k in _DATA_SETTINGS}
        for name, fact in named.items():
            yield subject.where(run.scored, fact.line), f"{name} {fact.value}", fact.text


def _in_files(source: Source) -> Iterator[_Sign]:
    """Sources that fold text which they tokenize, and models whose own normaliser folds."""
    left = _MAX_SOURCES_BYTES
    for name in source.names:
        if name.endswith(".py") and source.size(name) <= min(_MAX_SOURCE_BYTES, left):
            left -= source.size(name)
            with source.open(name) as stream:
                yield from _folds(name, stream.read(_MAX_SOURCE_BYTES))
        elif name.endswith(".model") and source.size(name) <= _MAX_MODEL_BYTES:
            with source.open(name) as stream:
                normalizer = _NORMALIZER.search(stream.read(_MAX_MODEL_BYTES))
            if normalizer:
                yield name, f"a model that normalises by {normalizer[0].decode()}", ""


def _folds(name: str, data: bytes) -> Iterator[_Sign]:
    """`text.lower()` and `casefold()` on text, or a folding normaliser, in a source that tokenizes."""
    try:
        unpacked = unpack(data).source
        if not _TOKENIZES.search(unpacked):
            return
        tree = parse_source(unpacked)
    except GolfError:
        return  # STATIC-ANALYSIS tells of a script that cannot be read
    lines = unpacked.splitlines()
    for node in ast.walk(tree):
        rule = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith("nfkc_cf")
        if rule or (isinstance(node, ast.Call) and _folds_text(node)):
            line = getattr(node, "lineno", 1)
            text = lines[line - 1].strip() if line <= len(lines) else ""
            yield f"{name}:{line}", "text is folded before it is tokenized", text
            return


def _folds_text(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or call.args:
        return False
    if function.attr == "casefold":
        return True
    names = [node.id for node in ast.walk(function.value) if isinstance(node, ast.Name)]
    names += [node.attr for node in ast.walk(function.value) if isinstance(node, ast.Attribute)]
    return function.attr == "lower" and any(_TEXT_NAME.search(name) for name in names)


def _in_readme(subject: Subject) -> Iterator[_Sign]:
    for number, line in enumerate(subject.readme.splitlines(), 1):
        if _FOLDED.search(line) and _OF_TEXT.search(line) and not _DENIED.search(line):
            yield f"README.md:{number}", "a word of folded case", line
            return
