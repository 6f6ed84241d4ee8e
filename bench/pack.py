"""`golf pack` over every record of a clone: packed bytes against a common recipe on the same source.

C(s) = python-minifier with renamed locals and globals, `lzma` at preset 9 extreme, base85, and 70 bytes of stub. For a
record that is packed already, s is the program inside.
"""

import ast
import base64
import lzma
import statistics
import time
import warnings
from collections import Counter
from pathlib import Path

import python_minifier

from bench.history import read_blobs, scripts_at
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError
from toolkit.folders import RECORDS_DIR
from toolkit.unpack.unpack import parse_source, unpack


def common_recipe_bytes(source: str) -> int:
    source = ast.unparse(parse_source(source))  # python-minifier may not read the syntax of a newer Python
    minified = python_minifier.minify(
        source, rename_locals=True, rename_globals=True, hoist_literals=False, remove_literal_statements=True
    )
    return len(base64.b85encode(lzma.compress(minified.encode(), preset=9 | lzma.PRESET_EXTREME))) + 70


def main(repo: str) -> None:
    warnings.simplefilter("ignore", SyntaxWarning)  # of strangers' sources
    paths = scripts_at(Path(repo), "HEAD", RECORDS_DIR.name)
    contents = dict(read_blobs(Path(repo), sorted(set(paths.values()))))
    ratios = []
    refused: Counter[str] = Counter()
    started = time.perf_counter()
    print(f"{'file':>8}{'C':>8}{'packed':>8}{'ratio':>7}")
    for path, blob in sorted(paths.items()):
        data = contents[blob]
        name = path.rpartition("/")[0].removeprefix(f"{RECORDS_DIR}/")
        try:
            packed_bytes = len(pack_script(data).packed)
        except GolfError as error:
            refused[str(error)] += 1
            print(f"{len(data):>8,}{'':>23}  {name}: {error}")
            continue
        common_bytes = common_recipe_bytes(unpack(data, strict=False).source)
        ratios.append(packed_bytes / common_bytes)
        print(f"{len(data):>8,}{common_bytes:>8,}{packed_bytes:>8,}{ratios[-1]:>7.3f}  {name}", flush=True)
    print(f"{len(paths)} files, {len(ratios)} packed, {sum(refused.values())} refused")
    print(f"median ratio {statistics.median(ratios):.3f}, worst {max(ratios):.3f}")
    print(f"{time.perf_counter() - started:.0f} s")
