import math
from collections import deque
from collections.abc import Sequence

import numpy as np


def total(values: Sequence[float]) -> float:
    """Also keeps the annotation's import."""
    return math.fsum(deque(np.asarray(values)))
