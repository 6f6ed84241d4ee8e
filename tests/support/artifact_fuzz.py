"""Mutated artifacts of every scheme through the reader: `python artifact_fuzz.py COUNT [FIRST_SEED]`.

A mutation flips bits, cuts, inserts, overwrites or splices in bytes of another artifact. It hits the file as it is, or
the file with its checksum made right again, or the payload before compression. Only the checksum can tell one model
from another, so a file that keeps a wrong one must be refused or be the original; one with a right checksum must be
refused or give a model of the recipe in which every number is finite. Nothing but `InputError` may be raised, and
nothing large allocated.
"""

import hashlib
import struct
import sys
import tracemalloc
import zlib
from collections import Counter
from functools import cache

import brotli
import numpy as np
import torch

from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.coders import split_stream
from toolkit.components.artifact.compressor import decompress
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize

MODEL = Model(vocab_size=24, model_dim=16, num_heads=2, num_kv_heads=1, num_layers=2, mlp_mult=2)
CONFIGS = {
    "int6+brotli": Config(model=MODEL, quantize=Quantize(passthrough_max_numel=64)),
    "int8+zlib": Config(model=MODEL, quantize=Quantize(matrix_bits=8, compressor="zlib", passthrough_max_numel=64)),
    "hybrid": Config(model=MODEL, quantize=Quantize(method="hybrid", passthrough_max_numel=64)),
    "tcq": Config(model=MODEL, quantize=Quantize(method="tcq", passthrough_max_numel=64)),
}
CODED = ("hybrid", "tcq")
HEAD_BYTES = 25  # magic, version, recipe, size of the payload, checksum
LARGEST_BYTES = 1 << 20  # the table of rANS takes some 100 KiB, whatever the tensor's size
LARGEST_BYTES_TCQ = 1 << 26  # and here there are a hundred tables


@cache
def original(name: str) -> bytes:
    torch.manual_seed(0)
    state = {key: torch.randn_like(tensor) for key, tensor in GPT(CONFIGS[name]).state_dict().items()}
    stats = even_curvatures(state) if name == "tcq" else {}
    return encode_artifact(CONFIGS[name], quantize_weights(CONFIGS[name], state, stats))


def even_curvatures(state: dict[str, torch.Tensor]) -> dict[str, Curvature]:
    """Of independent inputs and outputs, all of the same size."""
    return {
        name: Curvature(torch.eye(tensor.size(1)).double(), torch.ones(tensor.size(0)).double(), torch.tensor(1.0))
        for name, tensor in state.items()
        if name.endswith(".weight")
    }


@cache
def weights(name: str) -> dict[str, torch.Tensor]:
    return dequantize_weights(CONFIGS[name], decode_artifact(CONFIGS[name], original(name)))


def mutate(data: bytes, other: bytes, generator: np.random.Generator) -> bytes:
    """One to four changes."""
    changed = bytearray(data)
    for _ in range(generator.integers(1, 5)):
        start, end = sorted(generator.integers(0, len(changed) + 1, 2))
        end = min(end, start + 16) if generator.integers(2) else end
        match generator.integers(6):
            case 0 | 1:
                for _ in range(generator.integers(1, 4) if changed else 0):
                    changed[generator.integers(len(changed))] ^= 1 << int(generator.integers(8))
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = generator.bytes(int(generator.integers(1, 9)))
            case 4:
                changed[start:end] = bytes([generator.choice([0, 255])]) * (end - start)
            case 5:
                source = int(generator.integers(len(other)))
                changed[start:end] = other[source : source + end - start]
    return bytes(changed)


def forge(cfg: Config, payload_bytes: int, body: bytes) -> bytes:
    """A file whose checksum is right."""
    head = struct.pack("<4sB8sI", b"GOLF", 2, bytes.fromhex(cfg.artifact_id), payload_bytes)
    return head + hashlib.sha256(head + body).digest()[:8] + body


def mutated_file(name: str, kind: str, generator: np.random.Generator) -> bytes:
    cfg, blob = CONFIGS[name], original(name)
    other = original(str(generator.choice(list(CONFIGS))))
    if kind == "as it is":
        return mutate(blob, other, generator)
    payload_bytes, body = int.from_bytes(blob[13:17], "little"), blob[HEAD_BYTES:]
    if kind == "checksum":
        if generator.integers(4) == 0:
            payload_bytes = int(generator.choice([0, payload_bytes - 1, payload_bytes + 1, 2**32 - 1]))
        return forge(cfg, payload_bytes, mutate(body, other[HEAD_BYTES:], generator))
    compressed, coded = split_stream(body) if name in CODED else (body, b"")
    payload = mutate(decompress(cfg, compressed, payload_bytes), original("int6+brotli"), generator)
    packed = zlib.compress(payload) if cfg.quantize.compressor == "zlib" else brotli.compress(payload, quality=1)
    rest = coded + struct.pack("<I", len(coded)) if name in CODED else b""
    return forge(cfg, len(payload), packed + rest)


def scheme_of(seed: int) -> str:
    return list(CONFIGS)[seed % len(CONFIGS)]


def try_one(seed: int) -> str:
    """What became of the mutation of a seed: refused, unchanged, or another model."""
    generator = np.random.default_rng(seed)
    name = scheme_of(seed)
    kind = str(generator.choice(["as it is", "checksum", "payload"]))
    blob = mutated_file(name, kind, generator)
    expected = weights(name)
    try:
        found = dequantize_weights(CONFIGS[name], decode_artifact(CONFIGS[name], blob))
    except InputError as error:
        if "\n" in str(error):
            raise
        return f"{kind}: refused"
    assert found.keys() == expected.keys()
    assert all(found[key].shape == expected[key].shape for key in expected)
    if all(torch.equal(found[key], expected[key]) for key in expected):
        return f"{kind}: the same weights"
    assert kind != "as it is", "other weights under an old checksum"
    assert all(tensor.isfinite().all() for tensor in found.values())
    return f"{kind}: another model"


def try_under_watch(seed: int) -> str:
    """`try_one` with an eye on its memory, which makes it slow."""
    tracemalloc.start()
    try:
        outcome = try_one(seed)
        largest_bytes = LARGEST_BYTES_TCQ if scheme_of(seed) == "tcq" else LARGEST_BYTES
        assert tracemalloc.get_traced_memory()[1] < largest_bytes, "too much allocated"
    finally:
        tracemalloc.stop()
    return outcome


def run(seeds: range) -> Counter[str]:
    """Outcomes of mutations; any bug raises."""
    for name in CONFIGS:
        weights(name)
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        try:
            outcomes[(try_one if seed % 19 else try_under_watch)(seed)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        if seed % 10_000 == 9_999:
            print(seed + 1, dict(sorted(outcomes.items())), flush=True)
    return outcomes


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(dict(sorted(run(range(first, first + int(sys.argv[1]))).items())))
