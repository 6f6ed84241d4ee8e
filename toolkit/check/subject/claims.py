"""What `submission.json` claims, in any of the shapes that published folders use.

Half of the field names vary between authors, seeds may be a list or the keys of an object, and any value may be null.
A claim that is absent or no number is None; nothing here is evidence.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import GolfError

_SEED_FIELDS = {  # field of a seed's entry -> what it claims, and the factor to our unit
    "val_bpb": ("val_bpb", 1.0),
    "val_loss": ("val_loss", 1.0),
    "artifact_bytes": ("artifact_bytes", 1.0),
    "bytes_total": ("artifact_bytes", 1.0),
    "steps": ("steps", 1.0),
    "train_time_s": ("train_seconds", 1.0),
    "train_time_ms": ("train_seconds", 0.001),
    "eval_time_s": ("eval_seconds", 1.0),
    "eval_time_ms": ("eval_seconds", 0.001),
    "ttt_eval_time_s": ("eval_seconds", 1.0),
    "ttt_time_ms": ("eval_seconds", 0.001),
}
_TOTALS = (
    "bytes_total",
    "artifact_bytes",
    "artifact_size_bytes",
    "artifact_bytes_max",
    "total_bytes",
    "total_submission_bytes",
    "total_submission_size_bytes",
    "bytes_total_max",
    "total_submission_bytes_max",
)
_MODEL_BYTES = re.compile(
    r"bytes_model_(?:int\d|mixed|quantized|compressed)\w*|(?:compressed_)?model_(?:size_)?bytes|compressed_(?:size_)?bytes"
)


@dataclass(frozen=True)
class Claims:
    """Numbers of a submission. `seeds` maps each claimed seed to what is claimed of it, perhaps nothing."""

    where: str
    fields: dict[str, Any]
    seeds: dict[int, dict[str, float]] = field(default_factory=dict)

    def number(self, *names: str) -> float | None:
        """The first of these fields that holds a finite number."""
        return next((value for name in names if (value := finite(self.fields.get(name))) is not None), None)

    @property
    def val_bpb(self) -> float | None:
        return self.number("val_bpb", "mean_val_bpb")

    @property
    def val_loss(self) -> float | None:
        return self.number("val_loss", "mean_val_loss", "mean_val_loss_nats", "val_loss_nats")

    @property
    def bytes_total(self) -> float | None:
        return self.number(*_TOTALS)

    @property
    def largest_bytes(self) -> float:
        """The largest size that is claimed of the compressed model, with or without code, for any seed; 0 for none."""
        sizes = [self.number(name) for name in self.fields if name in _TOTALS or _MODEL_BYTES.fullmatch(name)]
        sizes += [entry.get("artifact_bytes") for entry in self.seeds.values()]
        return max((size for size in sizes if size is not None), default=0)


def parse_claims(text: str, where: str) -> Claims:
    """Read a submission file; `GolfError` unless it is a JSON object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GolfError(f"{where}: expected a JSON object, found {error}") from None
    if not isinstance(content, dict):
        raise GolfError(f"{where}: expected a JSON object, found {type(content).__name__}")
    return Claims(where, content, _seeds(content))


def finite(value: Any) -> float | None:
    """A finite number as it is, anything else as None."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e18 and math.isfinite(value) else None


def _seeds(content: dict[str, Any]) -> dict[int, dict[str, float]]:
    listed = content.get("seeds", content.get("seed", []))
    if isinstance(listed, int):
        listed = [listed]
    scores = content.get("seed_scores")
    seeds: dict[int, dict[str, float]] = {}
    if isinstance(listed, list):
        for index, name in enumerate(listed):
            score = finite(scores[index]) if isinstance(scores, list) and index < len(scores) else None
            _add(seeds, name, {"val_bpb": score})
    for results in (listed, content.get("seed_results")):
        for name, entry in results.items() if isinstance(results, dict) else ():
            _add(seeds, name, entry if isinstance(entry, dict) else {})
    return seeds


def _add(seeds: dict[int, dict[str, float]], name: Any, entry: dict[str, Any]) -> None:
    if not isinstance(name, (int, str)) or not str(name).isdecimal() or len(str(name)) > 18:
        return
    claimed = seeds.setdefault(int(name), {})
    for key, (meaning, factor) in _SEED_FIELDS.items():
        if (value := finite(entry.get(key))) is not None:
            claimed.setdefault(meaning, value * factor if factor != 1.0 else value)
