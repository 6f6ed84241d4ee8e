"""All probes of a recipe, and the file in a build that keeps what they found.

`probe.json` belongs to one script, whose SHA-256 it carries; `golf check` reads it and `golf package` asks for it. What
looks at less than all stages, or at fewer places than a probe's own number, is a try and never gets there.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from toolkit.bundle.proof.miniature import same_up_to_constants
from toolkit.check.evidence.probes import NAMES, SCHEMA_VERSION, missing_probes, read_probes
from toolkit.check.rulebook.finding import Finding
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.folders import BUNDLE_NAME, PROBES_NAME, READABLE_NAME, SCRIPT_NAME, sha256_of, write_atomically
from toolkit.probe import causal, contained, independence, normalized, order, repeat
from toolkit.probe.evaluation import require_stage
from toolkit.probe.scene import Scene
from toolkit.probe.tiny import Tiny, miniature_script

PROBES: dict[str, Callable[[Scene], list[Finding]]] = {
    "kraft": normalized.probe,
    "causal": causal.probe,
    "order": order.probe,
    "val-independence": independence.probe,
    "self-contained": contained.probe,
    "repeat": repeat.probe,
}
SAMPLED = {"kraft": normalized.POSITIONS, "causal": causal.POSITIONS}  # places that these probes look at


@dataclass(frozen=True)
class Probed:
    """What one probe found."""

    name: str
    command: str
    seconds: float
    findings: tuple[Finding, ...]
    stages: tuple[str, ...]
    positions: int | None = None  # that it has sampled
    is_whole: bool = True  # evidence; False for a try


def run_probes(
    cfg: Config,
    names: Sequence[str],
    command: str,  # what repeats all probes, such as `golf probe demo`
    show: Callable[[str, float], None] = lambda name, share: None,  # name of a probe, and its share that is done
    readable: str | None = None,  # readable script of the build that the outcomes are to hold for
    stage: str | None = None,  # of the recipe's stages, to run it alone; all by default
    positions: int | None = None,  # places for the probes that sample; their own number by default
) -> list[Probed]:
    """Probe the miniature of a recipe. `GolfError` for a build that is no program of this recipe and this toolkit."""
    if stage:
        require_stage(cfg, stage)
    stages = (stage,) if stage else cfg.evaluate.stages
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the runs; the tensors are too small for more
    try:
        with tempfile.TemporaryDirectory(prefix="golf-probe-") as folder:
            show(names[0], 0.0)
            tiny = Tiny(replace(cfg, evaluate=replace(cfg.evaluate, stages=stages)), Path(folder))
            is_whole = stages == cfg.evaluate.stages
            script = tiny.text if is_whole else miniature_script(cfg)
            if readable is not None and not same_up_to_constants(readable, script):
                raise GolfError(
                    f"{cfg.name}: expected a build by this state of the toolkit, found a different program; build again"
                )
            return [_run_probe(tiny, name, command, show, positions, is_whole) for name in names]
    finally:
        torch.set_num_threads(threads)


def readable_script(build: Path) -> str:
    """The readable script of a build; `GolfError` unless both scripts are those that `golf build` has written."""
    digests = json.loads((build / BUNDLE_NAME).read_text(encoding="utf-8")).get("sha256", {})
    for name in (SCRIPT_NAME, READABLE_NAME):
        found = sha256_of(build / name)
        if digests.get(name) != found:
            raise GolfError(
                f"{build / name}: expected the script that {BUNDLE_NAME} names ({str(digests.get(name))[:12]}), "
                f"found a different one ({found[:12]}); build it again"
            )
    return (build / READABLE_NAME).read_text(encoding="utf-8")


def _run_probe(
    tiny: Tiny, name: str, command: str, show: Callable[[str, float], None], positions: int | None, is_whole: bool
) -> Probed:
    started = time.perf_counter()
    show(name, 0.0)
    findings = PROBES[name](Scene(tiny, command, lambda share: show(name, share), positions))
    show(name, 1.0)
    sampled = (positions or SAMPLED[name]) if name in SAMPLED else None
    return Probed(
        name,
        f"{command} {name}",
        time.perf_counter() - started,
        tuple(findings),
        tiny.cfg.evaluate.stages,
        sampled,
        is_whole and (sampled is None or sampled >= SAMPLED[name]),
    )


def write_probes(build: Path, bundle_sha256: str, probed: Sequence[Probed]) -> None:
    """Put outcomes into a build's file, except those of tries; what it has of other probes of the same script stays."""
    whole = [one for one in probed if one.is_whole]
    if not whole:
        return
    before = read_probes(build)
    kept: dict[str, Any] = {}
    if set(missing_probes(before, bundle_sha256)) != set(NAMES) and before.get("schema_version") == SCHEMA_VERSION:
        kept = dict(before["probes"])
    for one in whole:
        facts = {"command": one.command, "seconds": round(one.seconds, 1), "torch": torch.__version__}
        facts |= {"stages": one.stages} | ({"positions": one.positions} if one.positions else {})
        kept[one.name] = facts | {"findings": [asdict(finding) for finding in one.findings]}
    ordered = {name: kept[name] for name in NAMES if name in kept}
    content = {"schema_version": SCHEMA_VERSION, "bundle_sha256": bundle_sha256, "probes": ordered}
    write_atomically(build / PROBES_NAME, json.dumps(content, indent=2) + "\n")
