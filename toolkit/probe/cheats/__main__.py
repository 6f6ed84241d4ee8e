"""Which probe catches which technique, and by how much: a table in Markdown.

    python -m toolkit.probe.cheats [NAME...]

A few minutes. Exit code 1 when a probe lets through what it claims to catch, or fails a legal look-alike.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from toolkit.check.rulebook.finding import by_severity
from toolkit.probe.cheats.cheat import CHEATS, Cheat, find_cheat
from toolkit.probe.cheats.stage import staged
from toolkit.probe.run import PROBES

LEGAL_PROBES = ("kraft", "causal", "order")
POSITIONS = {"kraft": 3, "causal": 4}  # places to look at: a cheat shows anywhere


def rows(cheat: Cheat) -> list[tuple[str, str, str, str, str]]:
    """Technique, probe, rule, outcome and what was measured, for every probe that concerns a cheat."""
    with tempfile.TemporaryDirectory() as folder, staged(cheat, Path(folder)) as scene:
        found = []
        for name in cheat.caught_by or LEGAL_PROBES:
            print(f"{cheat.name}: {name}", file=sys.stderr)
            worst = by_severity(PROBES[name](replace(scene, positions=POSITIONS.get(name))))[0]
            found.append((cheat.technique, name, worst.rule, worst.outcome, worst.found))
        return found


def main(names: list[str]) -> int:
    if unknown := set(names) - {cheat.name for cheat in CHEATS}:
        known = ", ".join(cheat.name for cheat in CHEATS)
        sys.exit(f"error: cheats: expected names of {known}; found {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    print("| technique | probe | rule | outcome | measured |\n|---|---|---|---|---|")
    wrong = 0
    for cheat in [find_cheat(name) for name in names] or CHEATS:
        for row in rows(cheat):
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |", flush=True)
            wrong += row[3] != ("FAIL" if cheat.caught_by else "PASS")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
