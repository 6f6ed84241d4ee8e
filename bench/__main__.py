"""`python -m bench [NAME [ARGUMENT...]]`: measure what the README and notes quote. Benchmarks live apart from tests.

Without a name all run that need no argument. `pack REPO` and `unpack REPO` take a bare clone of the competition.
"""

import sys

from bench import artifact, bundle, pack, unpack

BENCHES = {"bundle": bundle.main, "artifact": artifact.main}
WITH_CLONE = {"pack": pack.main, "unpack": unpack.main}

if sys.argv[1:]:
    name, *arguments = sys.argv[1:]
    (BENCHES | WITH_CLONE)[name](*arguments)
else:
    for name, bench in BENCHES.items():
        print(f"== {name}")
        bench()
