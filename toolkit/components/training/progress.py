"""How far training has come: what schedules go by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The state of training before one of its steps, the same on all ranks."""

    step: int  # steps taken; the number of this one, from 0
    iterations: int  # steps to take at most
    seconds: float  # what the steps so far took
    cap_seconds: float  # what all may take; 0 where there is no clock
