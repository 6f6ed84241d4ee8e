"""Can the result be had again? Two runs with one seed on the CPU: the same artifact, the same scores."""

from toolkit.check.rulebook.finding import Finding
from toolkit.probe.scene import Scene


def probe(scene: Scene) -> list[Finding]:
    """REPRODUCIBLE; scores are compared as the log prints them, artifacts byte by byte."""
    first = scene.tiny.trained
    scene.show(0.5)
    second = scene.tiny.run("repeat")
    differing = sum(a != b for a, b in zip(first.artifact, second.artifact, strict=False))
    differing += abs(len(first.artifact) - len(second.artifact))
    scores = [stage for stage, score in first.scores.items() if second.scores.get(stage) != score]
    found = f"{len(first.artifact):,} equal bytes and {len(first.scores)} equal scores"
    if differing or scores:
        found = f"{differing:,} of {len(first.artifact):,} bytes and {len(scores)} of {len(first.scores)} scores differ"
    detail = ""
    if scores:
        detail = f"{scores[-1]} {first.scores[scores[-1]]}, then {second.scores.get(scores[-1], 'none')}"
    return [
        scene.finding(
            "repeat",
            "REPRODUCIBLE",
            "FAIL" if differing or scores else "PASS",
            "the same artifact and the same scores from one seed",
            found,
            detail=detail,
        )
    ]
