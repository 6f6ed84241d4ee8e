"""`python -m bench [NAME [ARGUMENT...]]`: measure what the documentation quotes. Benchmarks live apart from tests.

Without a name all run that need no argument. `cpython`, `pyperformance FOLDER`, `programs N` judge packed programs by
what they do. `pack REPO` and `unpack REPO` take a bare clone of the competition, `seed TEXT [MEGABYTES]` a file, `mix
TEXTS`, `mix-full TEXTS` and `weights TEXTS` a folder of texts, `weights-full` may take a recipe (see their modules).
"""

import sys
from collections.abc import Callable

from bench import artifact, bundle, cpython, pack, pack_bounds, programs, pyperformance, rans, seed, unpack
from bench.mix import full, tables
from bench.weights import full as weights_full
from bench.weights import tables as weights

BENCHES: dict[str, Callable[..., None]] = {
    "bundle": bundle.main,
    "artifact": artifact.main,
    "rans": rans.main,
    "pack-bounds": pack_bounds.main,
}
WITH_ARGUMENTS: dict[str, Callable[..., None]] = {
    "pack": pack.main,
    "cpython": cpython.main,
    "programs": programs.main,
    "pyperformance": pyperformance.main,
    "unpack": unpack.main,
    "seed": seed.main,
    "mix": tables.main,
    "mix-full": full.main,
    "weights": weights.main,
    "weights-full": weights_full.main,
}

if sys.argv[1:]:
    name, *arguments = sys.argv[1:]
    (BENCHES | WITH_ARGUMENTS)[name](*arguments)
else:
    for name, bench in BENCHES.items():
        print(f"== {name}")
        bench()
