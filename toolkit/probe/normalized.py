"""Do the charges form a code? Kraft sums over the whole vocabulary, by rerunning the complete evaluation.

For a target and every token v of the vocabulary the stream is scored again from the beginning with v in the target's
place, what comes after it unchanged. Z is the sum over v of exp(-nats charged for v). A decoder can live on the charges
only if Z is at most 1; a probability distribution has exactly 1. Whatever lifts Z above 1 (a gate that looks at the
token, a hashed count, an adaptation to it) is found without knowing what it is. No charge before the target may depend
on v either.

`kraft.py` has sums of the two mixers on an artifact of full size, from a state that is kept for all tokens.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from toolkit.check.rulebook.finding import Finding
from toolkit.probe.evaluation import Evaluation, nats_by_stage, replaced
from toolkit.probe.kraft import choose_targets
from toolkit.probe.scene import Scene

POSITIONS = 8
TOLERANCE = 1e-3  # of |Z - 1|; the rulebook's


@dataclass(frozen=True)
class KraftSum:
    """What one stage charged at one target."""

    stage: str
    target: int
    z: float
    moved: float  # the largest change in nats of any earlier target, over all tokens put in

    @property
    def excess(self) -> float:
        """|Z - 1|."""
        return abs(self.z - 1)


def kraft_sums(
    evaluate: Evaluation,
    tokens: Tensor,  # int64[N]
    targets: Sequence[int],
    vocab_size: int,
    on_variant: Callable[[], None] = lambda: None,  # called after each of the len(targets) * vocab_size evaluations
) -> list[KraftSum]:
    """Z of every stage at every one of the targets."""
    base = nats_by_stage(evaluate, tokens)
    sums = []
    for target in targets:
        charged = {stage: np.zeros(vocab_size) for stage in base}
        moved = dict.fromkeys(base, 0.0)
        for token in range(vocab_size):
            for stage, nats in nats_by_stage(evaluate, replaced(tokens, target + 1, token)).items():
                charged[stage][token] = nats[target]
                change = np.abs(nats[:target] - base[stage][:target]).max(initial=0.0)
                moved[stage] = max(moved[stage], float(change))
            on_variant()
        sums += [KraftSum(stage, target, float(np.exp(-nats).sum()), moved[stage]) for stage, nats in charged.items()]
    return sums


def excess_bits_per_byte(sums: Iterable[KraftSum], target_bytes: np.ndarray) -> float:
    """Bits a byte that a score gains by sums above 1: mean log2 Z of the targets over the bytes of a mean target.

    Dividing every charge's probability by Z makes it a distribution, and costs ln Z nats per target.
    """
    gains = [math.log2(z.z) if z.z else -math.inf for z in sums]
    return sum(gains) / len(gains) / float(target_bytes.mean())


def probe(scene: Scene) -> list[Finding]:
    """C2-NORMALIZED for every stage, and C1-CAUSAL where a token put in moves a charge before it."""
    kinds = choose_targets(scene.evaluate.tokenizer, scene.text.numpy(), scene.positions or POSITIONS)
    done = 0

    def on_variant() -> None:
        nonlocal done
        done += 1
        scene.show(done / (len(kinds) * scene.vocab_size))

    sums = kraft_sums(scene.evaluate, scene.text, sorted(kinds), scene.vocab_size, on_variant)
    findings = []
    for stage in dict.fromkeys(one.stage for one in sums):
        mine = [one for one in sums if one.stage == stage]
        findings.append(_normalized(scene, mine, kinds))
        worst = max(mine, key=lambda one: one.moved)
        if worst.moved:
            expected = "no nats before a target that depend on it"
            found = f"nats before target {worst.target} move by up to {worst.moved:.4f}"
            findings.append(scene.finding("kraft", "C1-CAUSAL", "FAIL", expected, found, stage))
    return findings


def _normalized(scene: Scene, sums: list[KraftSum], kinds: dict[int, str]) -> Finding:
    by_excess = sorted(sums, key=lambda one: -one.excess)
    outcome = "PASS" if by_excess[0].excess <= TOLERANCE else "FAIL"
    expected = f"the sum of exp(-nats) over all {scene.vocab_size} tokens within {TOLERANCE:g} of 1"
    looked_at = f"{len(sums)} of {scene.length - 1} targets"
    found = f"{looked_at}: largest |Z - 1| {by_excess[0].excess:.1e}"
    if outcome == "FAIL":
        bits = excess_bits_per_byte(sums, scene.evaluate.target_bytes(scene.text))
        found = f"{looked_at}: mean Z {np.mean([one.z for one in sums]):.4f}, worth {bits:.4f} bits per byte"
    worst = ", ".join(f"{one.z:.7f} at target {one.target} ({kinds[one.target]})" for one in by_excess[:3])
    return scene.finding("kraft", "C2-NORMALIZED", outcome, expected, found, sums[0].stage, f"worst Z {worst}")
