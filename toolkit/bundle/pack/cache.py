"""Results of searches, kept by content in the user's cache folder, `golf-toolkit` in `$XDG_CACHE_HOME` or `~/.cache`.

A key covers everything a result depends on: its input, the toolkit's own source in all its folders, and the versions of
Python and of the packages it uses. A damaged entry counts as none, and a folder that cannot be written means that
nothing is kept.
"""

import contextlib
import functools
import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from toolkit.folders import write_atomically

SOURCE_DIR = Path(__file__).resolve().parents[2]
_MAX_ENTRIES = 200
_PACKAGES = ("brotli", "python-minifier")


def cached(key: Sequence[str], make: Callable[[], str]) -> str:
    """The text that `make` returns, or returned before for an equal key."""
    path = cache_dir() / hashlib.sha256(json.dumps([environment_digest(), *key]).encode()).hexdigest()
    with contextlib.suppress(OSError, UnicodeDecodeError, ValueError):
        digest, text = path.read_bytes().decode().split("\n", 1)
        if digest == _digest(text.encode()):
            return text
    text = make()
    with contextlib.suppress(OSError):
        _write(path, text)
    return text


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "golf-toolkit"


@functools.cache
def environment_digest() -> str:
    """Digest of the toolkit's source, most of which can decide bytes, and of the packages that do."""
    digest = hashlib.sha256("\n".join([sys.version, *(metadata.version(name) for name in _PACKAGES)]).encode())
    for path in sorted(SOURCE_DIR.rglob("*.py")):
        digest.update(_digest(path.read_bytes()).encode())
    return digest.hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{_digest(text.encode())}\n{text}")
    entries = sorted(path.parent.iterdir(), key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-_MAX_ENTRIES]:
        entry.unlink(missing_ok=True)
