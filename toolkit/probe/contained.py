"""Does the evaluation stand on its own? Once more in a sandbox that holds script, artifact, tokenizer and validation.

No network, no training shards, nothing else to read, nothing left of the process that trained. The scores must be those
that the script printed when all of that was there. Where they are not, a second try with the training shards tells
which of the two was missed. Without a sandbox that works here nothing is run, and the outcome is UNKNOWN.
"""

import sys
import tempfile
from pathlib import Path

from toolkit.check.rulebook.finding import Finding
from toolkit.components.text.shards import find_shards
from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME, SCRIPT_NAME
from toolkit.probe.scene import Scene
from toolkit.probe.tiny import read_scores
from toolkit.run.sandbox import WORK_DIR, Limits, Outcome, Sandbox, find_sandbox

LIMITS = Limits(memory_bytes=4 << 30, seconds=600, processes=200)
_INSIDE = Path("/probed")
_SHARDS, _NETWORK = "NO-TRAIN-DATA-AT-EVAL", "NO-NETWORK"
_EXPECTED = {
    _SHARDS: "the same scores from script, artifact, tokenizer and validation alone",
    _NETWORK: "the same scores without a network, and no call for one",
}


def probe(scene: Scene) -> list[Finding]:
    """NO-TRAIN-DATA-AT-EVAL and NO-NETWORK."""
    expected = {label: score for label, score in scene.tiny.trained.scores.items() if label in scene.stages}
    try:
        sandbox = find_sandbox()
    except GolfError as error:
        return [_finding(scene, rule, "UNKNOWN", str(error)) for rule in _EXPECTED]
    scene.show(0.3)
    outcome, found = _evaluate(scene, sandbox, with_training=False)
    if outcome.stopped:
        return [_finding(scene, rule, "UNKNOWN", f"stopped for its {outcome.stopped}") for rule in _EXPECTED]
    calls = [line for line in outcome.refused if line.startswith("network: ")]
    shards = [line for line in outcome.refused if "fineweb_train" in line]
    same = f"{len(expected)} equal scores ({sandbox.kind})"
    broken = dict.fromkeys(_EXPECTED, "")
    if found != expected:
        scene.show(0.6)
        _, with_shards = _evaluate(scene, sandbox, with_training=True)
        missed = _SHARDS if with_shards == expected else _NETWORK
        broken[missed] = _difference(outcome, expected, found)
    broken[_SHARDS] = broken[_SHARDS] or "; ".join(shards)
    broken[_NETWORK] = broken[_NETWORK] or "; ".join(calls)
    detail = "refused: " + "; ".join(outcome.refused) if outcome.refused else "nothing refused"
    return [_finding(scene, rule, "FAIL" if text else "PASS", text or same, detail) for rule, text in broken.items()]


def _finding(scene: Scene, rule: str, outcome: str, found: str, detail: str = "") -> Finding:
    return scene.finding("self-contained", rule, outcome, _EXPECTED[rule], found, detail=detail)


def _evaluate(scene: Scene, sandbox: Sandbox, with_training: bool) -> tuple[Outcome, dict[str, str]]:
    """Run the script with EVAL_ONLY=1; how it ended, and the scores it printed by label."""
    tiny = scene.tiny
    shards = find_shards(tiny.folder / "data", "val")
    if with_training:
        shards += find_shards(tiny.folder / "data", "train")
    script, artifact, tokenizer = _INSIDE / SCRIPT_NAME, _INSIDE / ARTIFACT_NAME, _INSIDE / "tokenizer.model"
    readable = {tiny.folder / SCRIPT_NAME: script, tiny.trained.folder / artifact.name: artifact}
    readable |= {tiny.tokenizer_path: tokenizer, **{path: _INSIDE / "data" / path.name for path in shards}}
    env = tiny.settings(str(WORK_DIR)) | {
        "DATA_PATH": str(_INSIDE / "data"),
        "TOKENIZER_PATH": str(tokenizer),
        "ARTIFACT_PATH": str(artifact),
        "EVAL_ONLY": "1",
    }
    with tempfile.TemporaryDirectory(dir=tiny.folder) as folder:
        outcome = sandbox.run([sys.executable, str(script)], readable, Path(folder), env, LIMITS)
        return outcome, read_scores(Path(folder))


def _difference(outcome: Outcome, expected: dict[str, str], found: dict[str, str]) -> str:
    if outcome.exit_code:
        last = outcome.stderr.strip().splitlines()[-1:] or [f"exit code {outcome.exit_code}"]
        return f"it failed: {last[0]}"
    label = next(label for label in expected if found.get(label) != expected[label])
    return f"{label} {found.get(label, 'without a score')}, before {expected[label]}"
