"""What the bundler achieves on our own recipes: bytes against the common recipe, seconds, determinism, proof.

C(s) is what a competitor gets by hand from a readable script s: python-minifier with its default guards and all names
renamed, LZMA at its highest preset, base85, 70 bytes of stub.
"""

import base64
import lzma
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import python_minifier

from toolkit.bundle import bundle
from toolkit.bundle.proof.verify import verify
from toolkit.recipe import load_recipe, recipe_names

_STUB_BYTES = 70
_BUILD = """
import sys
from toolkit.bundle import bundle
from toolkit.recipe import load_recipe
print(bundle(load_recipe(sys.argv[1]), sys.argv[2]).sha256, "torch" in sys.modules)
"""


@dataclass(frozen=True)
class Row:
    """One recipe in one encoding."""

    code_bytes: int
    cold_seconds: float  # of a process, imports included
    warm_seconds: float
    is_deterministic: bool


def common_bytes(source: str) -> int:
    """C(source)."""
    text = python_minifier.minify(
        source, rename_locals=True, rename_globals=True, hoist_literals=False, remove_literal_statements=True
    )
    return len(base64.b85encode(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))) + _STUB_BYTES


def measure(recipe: str, encoding: str) -> Row:
    """Build in fresh processes: twice cold under different hash seeds, then once warm."""
    seconds, found = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for seed, cache in (("1", "first"), ("2", "second"), ("3", "second")):
            env = {**os.environ, "PYTHONHASHSEED": seed, "XDG_CACHE_HOME": os.path.join(folder, cache)}
            started = time.perf_counter()
            run = subprocess.run(
                [sys.executable, "-c", _BUILD, recipe, encoding], env=env, capture_output=True, text=True, check=True
            )
            seconds.append(time.perf_counter() - started)
            found.add(run.stdout)
    built = bundle(load_recipe(recipe), encoding)
    is_deterministic = found == {f"{built.sha256} False\n"}  # equal bytes, and no torch in any process
    return Row(built.code_bytes, min(seconds[:2]), seconds[2], is_deterministic)


def main() -> None:
    print("C: the common recipe on our readable script; the shares are of C; seconds of a whole process")
    print(
        f"{'recipe':<17}{'readable':>9}{'C':>8}{'base85':>8}{'share':>7}{'latin1':>8}{'share':>7}"
        f"{'cold s':>8}{'warm s':>8}  same bytes"
    )
    for name in recipe_names():
        readable = bundle(load_recipe(name)).readable
        common = common_bytes(readable)
        rows = [measure(name, encoding) for encoding in ("base85", "latin1")]
        sizes = "".join(f"{row.code_bytes:>8,}{row.code_bytes / common:>7.3f}" for row in rows)
        seconds = f"{max(row.cold_seconds for row in rows):>8.1f}{max(row.warm_seconds for row in rows):>8.2f}"
        same = all(row.is_deterministic for row in rows)
        print(f"{name:<17}{len(readable.encode()):>9,}{common:>8,}{sizes}{seconds}  {'yes' if same else 'NO'}")
    print("modules, readable and packed script of each recipe's miniature, bit for bit")
    for name in recipe_names():
        started = time.perf_counter()
        found = verify(load_recipe(name))
        print(
            f"{name:<17}{found.steps} steps, {found.numbers} numbers, {found.tensors} tensors and "
            f"{found.artifact_bytes:,} artifact bytes equal ({time.perf_counter() - started:.1f} s)"
        )
