"""Limits and unit conversions of the competition. Lowest layer: imports nothing of ours."""

import math

CAP_BYTES = 16_000_000  # README FAQ: decimal megabytes, code and compressed model together; not 16 MiB
TRAIN_CAP_SECONDS = 600.0  # README: training on 8xH100
EVAL_CAP_SECONDS = 600.0  # README: evaluation, counted apart from training


def bits_per_byte(nats: float, num_bytes: float) -> float:
    """Total nats over total bytes of text as bits per byte (techniques of the field: sum / (ln 2 * bytes))."""
    return nats / (math.log(2.0) * num_bytes)
