"""Does the artifact know the validation text? Two trainings with one seed, under different validation shards.

The artifacts must be the same bytes: whatever trains, calibrates or tunes on the validation text makes them differ.
"""

import hashlib

import numpy as np

from toolkit.check.rulebook.finding import Finding
from toolkit.probe.scene import Scene


def probe(scene: Scene) -> list[Finding]:
    """NO-VAL-IN-TRAINING; the second stream is the first one backwards and shorter."""
    tiny = scene.tiny
    first = tiny.trained.artifact
    scene.show(0.5)
    other = np.ascontiguousarray(tiny.validation()[:-7][::-1])
    tiny.copy_data("other_validation", other)
    second = tiny.run("val-independence", DATA_PATH="other_validation").artifact
    differing = sum(a != b for a, b in zip(first, second, strict=False)) + abs(len(first) - len(second))
    digests = ", ".join(hashlib.sha256(blob).hexdigest()[:12] for blob in (first, second))
    return [
        scene.finding(
            "val-independence",
            "NO-VAL-IN-TRAINING",
            "FAIL" if differing else "PASS",
            "the same artifact from two validation texts and one seed",
            f"{differing:,} of {len(first):,} bytes differ" if differing else f"{len(first):,} equal bytes",
            detail=f"artifacts {digests}",
        )
    ]
