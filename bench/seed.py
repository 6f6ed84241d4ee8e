"""The byte mixture of #1785 on real text: megabytes per second of one core, and what its table takes.

`python -m bench seed TEXT [MEGABYTES]`; tokens are runs of four bytes, and the network is sure of half a bit per byte.
"""

import resource
import time
from pathlib import Path

import numpy as np
import torch

from toolkit.components.mixing.ppm_seed import mix_ppm_seed
from toolkit.recipe import load_recipe


def main(path: str, megabytes: str = "10") -> None:
    cfg = load_recipe("sp4096_ppm_seed")
    text = Path(path).read_bytes().replace(b"\r\n", b"\n")[: int(float(megabytes) * 1e6)]
    pieces = [text[i : i + 4] for i in range(0, len(text), 4)]
    strings = sorted(set(pieces))
    ids = {piece: token for token, piece in enumerate(strings)}
    targets = np.array([ids[piece] for piece in pieces])
    nats = torch.full((len(targets),), 2 * np.log(2), dtype=torch.float64)
    mix_ppm_seed(cfg, strings, targets[:1], nats[:1])  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    charged = mix_ppm_seed(cfg, strings, targets, nats)
    seconds = time.process_time() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    bits = charged.sum().item() / np.log(2) / len(text)
    print(f"{len(text):,} bytes: {len(text) / 1e6 / seconds:.2f} MB/s, {memory} MiB, {bits:.6f} bits per byte")
