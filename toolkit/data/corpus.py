"""The embedded corpus: text that every Python carries, the sources and help topics of its standard library.

It stands in for FineWeb in the demo. The corpus depends on the Python version alone: test suites, which some systems
leave out, and installed packages do not count, and everything is ordered by SHA-256 digests, never by the file system.

Not covered: languages other than English, prose of any length, anything one could compare with a FineWeb score.
"""

import hashlib
import re
import sysconfig
from pathlib import Path

from toolkit.errors import GolfError

VAL_BYTES = 150_000  # small: the demo scores it with a mixer in plain Python, once a seed
VAL_DOCUMENTS_PER_FILE = 3  # so that validation has a little of many files, as training does
MIN_TRAIN_BYTES = 2_000_000

_SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "pydoc_data"}
_SPLIT_CHARS = 2000  # a document ends at the first top-level statement after this many characters,
_MAX_CHARS = 4000  # or at the first blank line after this many
_MIN_CHARS = 200  # shorter documents are left out
_TABLE_CHARS = 6000  # a longer paragraph is a table of codes, not text


def split_source(text: str) -> list[str]:
    """Documents of 2 to 4 kB, cut at blank lines and if possible between top-level statements.

    White space is collapsed, as SentencePiece's nmt_nfkc rule would do in any case (it costs Python its line ends and
    indentation, but these are the competition's settings); so lengths and duplicates are those of what is scored.
    """
    documents = [""]
    length = 0
    for paragraph in re.split(r"\n\s*?\n", text):
        if len(paragraph) > _TABLE_CHARS:
            continue
        if length >= (_MAX_CHARS if paragraph[:1].isspace() else _SPLIT_CHARS):
            documents.append("")
            length = 0
        length += len(paragraph)
        documents[-1] += " ".join(paragraph.split()) + " "
    return [document.strip() for document in documents if len(document) > _MIN_CHARS]


def library_documents(stdlib: Path) -> dict[str, list[str]]:
    """Documents of each source file under `stdlib` by its name there; files that are not UTF-8 are left out."""
    files = {}
    for path in stdlib.rglob("*.py"):
        name = path.relative_to(stdlib)
        if _SKIPPED_FOLDERS.isdisjoint(name.parts):
            try:
                files[name.as_posix()] = split_source(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                continue
    return files


def help_documents() -> dict[str, list[str]]:
    """Documents of each topic of Python's `help()`; none where a system ships Python without them."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return {}
    return {f"help/{name}": split_source(text) for name, text in topics.items()}


def split_corpus(files: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """Validation and training documents, each in the order of their digests and without duplicates.

    Files are held out whole, in the order of their names' digests, until validation has `VAL_BYTES`. A few documents of
    each are used; its others go nowhere, so that no training text continues a validation text.
    """
    val: dict[str, str] = {}
    train: dict[str, str] = {}
    for name in sorted(files, key=_digest):
        documents = {_digest(document): document for document in files[name]}
        if _num_bytes(val) < VAL_BYTES:
            val |= {key: documents[key] for key in sorted(documents)[:VAL_DOCUMENTS_PER_FILE]}
        else:
            train |= documents
    return [val[key] for key in sorted(val)], [train[key] for key in sorted(train.keys() - val.keys())]


def embedded_corpus() -> tuple[list[str], list[str]]:
    """Validation and training documents of this Python; `GolfError` where it comes without its sources."""
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    val, train = split_corpus(library_documents(stdlib) | help_documents())
    train_bytes = sum(len(document.encode()) for document in train)
    if train_bytes < MIN_TRAIN_BYTES:
        raise GolfError(
            f"{stdlib}: expected the standard library's sources, at least {MIN_TRAIN_BYTES} bytes of text, "
            f"found {train_bytes}; use a Python installed with its sources"
        )
    return val, train


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _num_bytes(documents: dict[str, str]) -> int:
    return sum(len(document.encode()) for document in documents.values())
