"""`python -m bench weights-full [RECIPE]`: seconds and memory of the trellis coder at the size of a real submission.

Gaussian weights and curvatures of Gaussian inputs and gradients, in the shapes of the recipe. What it shows is seconds
and memory; its bytes mean nothing.
"""

import math
import resource
import time

import torch
from torch import Tensor

from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.passthrough import is_quantized, with_passthrough
from toolkit.components.quantizing.tcq import make_lattices, trellis_tensors
from toolkit.recipe import load_recipe

STEP = 0.4  # in deviations of a weight: about 3.3 bits


def moments(size: int) -> Tensor:
    x = torch.randn(2 * size, size)
    return (x.T @ x / len(x)).double()


def main(recipe: str = "sp4096_tcq") -> None:
    cfg = load_recipe(recipe)
    torch.manual_seed(0)
    state = {name: torch.randn_like(tensor) for name, tensor in GPT(cfg).state_dict().items()}
    names = [name for name, weight in state.items() if is_quantized(cfg, name, weight)]
    squares = {size: moments(size) for size in {size for name in names for size in state[name].shape} if size <= 2048}
    curvatures = {}
    for name in names:
        rows, columns = state[name].shape
        outputs = squares.get(rows, torch.rand(rows).double() + 0.1)
        curvatures[name] = Curvature(squares[columns], outputs, torch.tensor(1.0))
    weights = sum(math.prod(state[name].shape) for name in names)
    print(f"{len(names)} matrices, {weights:,} weights, {torch.get_num_threads()} threads", flush=True)
    started = time.perf_counter()

    def lap(what: str) -> None:
        nonlocal started
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what:<36}{time.perf_counter() - started:8.1f} s, peak {peak_gib:.2f} GiB", flush=True)
        started = time.perf_counter()

    lattices = make_lattices(cfg, state, curvatures)
    lap("factors, once")
    tensors = trellis_tensors(cfg, lattices, STEP)
    lap("trellis, each attempt")
    blob = encode_artifact(cfg, with_passthrough(cfg, tensors, state))
    lap("file, each attempt")
    decode_artifact(cfg, blob)
    lap(f"decoding of {len(blob):,} bytes")
