"""`python -m bench [NAME...]`: measure what the README and notes quote. Benchmarks live apart from tests."""

import sys

from bench import artifact, bundle

BENCHES = {"bundle": bundle.main, "artifact": artifact.main}

for name in sys.argv[1:] or BENCHES:
    print(f"== {name}")
    BENCHES[name]()
