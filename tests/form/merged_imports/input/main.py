import math
import os.path as osp
from collections import Counter, OrderedDict

import numpy as np

from toolkit.components.config import Config
from toolkit.components.other import total


def main(cfg: Config, script: str) -> None:
    print(math.floor(total([1, 2])), Counter("aab"), np.int64(3), osp.basename("a/b"))
