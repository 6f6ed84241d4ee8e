"""Quantizing and coding Gaussian weights in the shapes of two recipes: bytes and seconds on this machine."""

import time

import torch

from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.plan import make_plan
from toolkit.recipe import load_recipe


def main() -> None:
    for recipe in ("sp4096", "hybridquant"):
        cfg = load_recipe(recipe)
        torch.manual_seed(0)
        with torch.device("meta"):
            shapes = {name: tensor.shape for name, tensor in GPT(cfg).state_dict().items()}
        state = {name: torch.randn(shape) for name, shape in shapes.items()}
        print(recipe)
        started = time.perf_counter()
        quantized = quantize_weights(cfg, state, {})
        print(f"round to nearest {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        blob = encode_artifact(cfg, quantized)
        print(f"encode           {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        decode_artifact(cfg, blob)
        print(f"decode           {time.perf_counter() - started:.1f} s")
        print(f"artifact         {len(blob):,} bytes; golf plan expects {make_plan(cfg, 0).model_bytes:,}")
