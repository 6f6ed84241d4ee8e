import math
import os.path as osp
from collections import Counter, deque
from collections.abc import Sequence

import numpy as np


# ------------------------------------------------------- other --------------------------------------------------------


def total(values: Sequence[float]) -> float:
    """Also keeps the annotation's import."""
    return math.fsum(deque(np.asarray(values)))


# -------------------------------------------------------- main --------------------------------------------------------


def main(script: str) -> None:
    print(math.floor(total([1, 2])), Counter("aab"), np.int64(3), osp.basename("a/b"))


if __name__ == "__main__":
    main(__file__)
