"""The scores that a record is held against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """Scores to beat in bits per byte, with their seeds and the bytes per token where known."""

    source: str
    val_bpb: tuple[float, ...]
    seeds: tuple[int | None, ...] | None = None
    bytes_per_token: float | None = None
