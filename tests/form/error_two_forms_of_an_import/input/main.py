import numpy as np

from toolkit.components.one import a


def main(cfg, script):
    print(np.int64(a()))
