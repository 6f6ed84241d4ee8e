"""What the competition allows, as the rules shared by all tracks say: the numbers that forecasts and texts ask for."""

from typing import Any

from toolkit.check.rulebook.ruleset import find_rule


def cap_bytes() -> int:
    """Most bytes of code and compressed model together; decimal megabytes, not 16 MiB."""
    return int(find_rule("SIZE-CAP").parameters["cap_bytes"])


def bytes_left(total_bytes: int) -> int:
    """Bytes that code and model leave of the cap; negative above it."""
    return cap_bytes() - total_bytes


def train_limit_seconds() -> float:
    """Most seconds of training on 8xH100, calibration on training data included; evaluation has as much of its own."""
    return float(find_rule("TRAIN-600").parameters["limit_seconds"])


def significance_bars() -> dict[str, Any]:
    """`gain_nats` and `p_value` of the README's rule, and `frontier_p_value` of the leaderboard's practice."""
    return find_rule("SIGNIFICANCE").parameters
