"""`golf unpack` over every script of all pull requests in a clone: what was found and refused, at what cost."""

import re
import resource
import time
import warnings
from collections import Counter
from pathlib import Path

from bench.history import pull_request_heads, read_blobs, scripts_at
from toolkit.errors import GolfError
from toolkit.unpack.unpack import unpack

_DENSE = re.compile(rb"[^\s\"']{300,}|(\n[^\s\"']{60,}){5}")  # text that no person typed, in one or many lines
_DECODER_WORDS = re.compile(rb"decompress|decode|marshal|fromhex|zipimport|runpy")
_RUNNER_WORDS = re.compile(rb"(?<![.\w])(exec|eval|compile)\s*\(|__import__|runpy|marshal|zipimport")


def looks_like_a_stub(data: bytes) -> bool:
    """A guess without the reader: words of a stub around dense text, or a file that only runs another."""
    has_words = _RUNNER_WORDS.search(data) and _DECODER_WORDS.search(data)
    return bool(has_words and _DENSE.search(data)) or (len(data) < 1000 and bool(_RUNNER_WORDS.search(data)))


def main(repo: str) -> None:
    warnings.simplefilter("ignore", SyntaxWarning)  # of strangers' sources
    where: dict[str, str] = {}  # blob -> one place that has it
    heads = pull_request_heads(Path(repo))
    for name, commit in heads.items():
        for path, blob in scripts_at(Path(repo), commit).items():
            where.setdefault(blob, f"{commit[:10]} {name.split('/')[2]} {path}")
    print(f"{len(heads)} heads, {len(where)} distinct scripts", flush=True)
    shapes: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    missed = []
    slowest = (0.0, "")
    total = 0.0
    for blob, data in read_blobs(Path(repo), sorted(where)):
        started = time.perf_counter()
        try:
            layers = unpack(data).layers
        except GolfError as error:
            refused[re.sub(r"\d+", "N", str(error))] += 1
            if looks_like_a_stub(data) or not str(error).startswith("script:"):
                missed.append(f"{where[blob]}: {error}")
        else:
            if layers:
                shapes["; ".join(layers)] += 1
            elif looks_like_a_stub(data):
                missed.append(f"{where[blob]}: taken for plain source")
        seconds = time.perf_counter() - started
        total += seconds
        slowest = max(slowest, (seconds, where[blob]))
    print(f"{sum(shapes.values())} stubs unpacked")
    for label, counts in (("unpacked", shapes), ("refused", refused)):
        for key, count in counts.most_common():
            print(f"{label:<10}{count:>6}  {key}")
    for line in missed:
        print(f"not unpacked: {line}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{total:.0f} s, slowest {slowest[0]:.1f} s ({slowest[1]}), peak memory {peak:.0f} MiB")
