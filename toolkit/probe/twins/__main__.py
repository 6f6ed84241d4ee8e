"""Which probe catches which technique, and by how much: a table in Markdown.

    python -m toolkit.probe.twins [NAME...]

A few minutes. Exit code 1 when a probe lets through what it claims to catch, or fails a legal look-alike.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch

from toolkit.check.report import by_severity
from toolkit.probe import causal, normalized
from toolkit.probe.run import PROBES
from toolkit.probe.twins import TWINS, Twin, find_twin
from toolkit.probe.twins.stage import staged

LEGAL_PROBES = ("kraft", "causal", "order")
_PROBES = PROBES | {"kraft": partial(normalized.probe, positions=3), "causal": partial(causal.probe, positions=4)}


def rows(twin: Twin) -> list[tuple[str, str, str, str, str]]:
    """Technique, probe, rule, outcome and what was measured, for every probe that concerns a twin."""
    with tempfile.TemporaryDirectory() as folder, staged(twin, Path(folder)) as scene:
        found = []
        for name in twin.caught_by or LEGAL_PROBES:
            print(f"{twin.name}: {name}", file=sys.stderr)
            worst = by_severity(_PROBES[name](scene))[0]
            found.append((twin.technique, name, worst.rule, worst.outcome, worst.found))
        return found


def main(names: list[str]) -> int:
    if unknown := set(names) - {twin.name for twin in TWINS}:
        known = ", ".join(twin.name for twin in TWINS)
        sys.exit(f"error: twins: expected names of {known}; found {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    print("| technique | probe | rule | outcome | measured |\n|---|---|---|---|---|")
    wrong = 0
    for twin in [find_twin(name) for name in names] or TWINS:
        for row in rows(twin):
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |", flush=True)
            wrong += row[3] != ("FAIL" if twin.caught_by else "PASS")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
