# Demo - recipe demo, track non-record-16mb
#
# One self-contained training script, joined from tested components; train_gpt.py is this program, packed.
# Run it inside its folder:  torchrun --standalone --nproc_per_node=N train_gpt.py
#
# Environment variables and their defaults (torchrun sets those of the ranks):
#     ARTIFACT_PATH           str(run_dir / 'final_model.ptz')
#     CC                      'cc'
#     DATA_PATH               'data/datasets/demo_sp1024'
#     EVAL_ONLY               0
#     ITERATIONS              20000
#     LOCAL_RANK              '0'
#     MAX_WALLCLOCK_SECONDS   60.0
#     RANK                    '0'
#     RUN_DIR                 '.'
#     RUN_ID                  f'seed{seed}'
#     SEED                    1337
#     TOKENIZER_PATH          'data/tokenizers/demo_1024_bpe.model'
#     WORLD_SIZE              '1'

import contextlib
import ctypes
import hashlib
import importlib
import itertools
import math
import mmap
import os
import platform
import re
import resource
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


# ------------------------------------------------- artifact.quantized -------------------------------------------------
# One tensor as the artifact holds it: in a scheme, which is a number that the artifact names for every tensor.
#
# Schemes 16 and 32 are plain numbers, fp16 or fp32. Which others a recipe may use, and what they store, is the matter of
# `schemes.py`. The values of a scheme below zero lie in the coded stream of `coders.py`.


SCHEME_FP16 = 16
SCHEME_FP32 = 32


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """`values` has the tensor's shape: symbols, or plain numbers. `side` is what its scheme stores besides."""

    scheme: int
    values: np.ndarray
    side: tuple[np.ndarray, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


# ------------------------------------------------- artifact.integers --------------------------------------------------
# Matrices of whole numbers, times the step of their row.
#
# Schemes 2 to 8 have so many bits: symbols of [-Q, Q] with Q = 2^(bits - 1) - 1.


def integer_slots(shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """By scheme the kind, dtype and shape of each stored array."""
    return {bits: [("symbols", "<i1", shape), ("scales", "<f2", shape[:1])] for bits in range(2, 9)}


def integer_tensor(bits: int, symbols: Tensor, steps: Tensor) -> QuantizedTensor:
    """Whole numbers [R, C] and steps [R, 1] that fp16 can hold."""
    return QuantizedTensor(bits, symbols.to(torch.int8).cpu().numpy(), (steps[:, 0].half().cpu().numpy(),))


def integers_fit(tensor: QuantizedTensor) -> bool:
    """Whether all symbols are in the range of their bits."""
    return int(np.abs(tensor.values.astype(np.int16)).max(initial=0)) < 2 ** (tensor.scheme - 1)


# ---------------------------------------------------- base.failure ----------------------------------------------------
# The one exception a component raises for bad input.


class InputError(Exception):
    """Bad input: one line with what was expected, what was found, where, and how to mend it."""


# -------------------------------------------------- artifact.schemes --------------------------------------------------
# How the artifact holds matrices, by the recipe's storage: the one place that knows all schemes.
#
# To add a storage: a file beside this one with the slots of its schemes, and a line here in each function where it
# differs from the others; where its values are coded, lines in `coders.py` as well.


def scheme_slots(shape: tuple[int, ...]) -> dict[int, list[tuple[str, str, tuple[int, ...]]]]:
    """Schemes that a tensor may have, each with the kind, dtype and shape of the arrays that are stored for it.

    These are its values, unless they are coded, and then its side. Kinds are those of `byte_shares`.
    """
    plain = {SCHEME_FP16: [("passthrough", "<f2", shape)], SCHEME_FP32: [("passthrough", "<f4", shape)]}
    if len(shape) != 2:
        return plain
    return plain | integer_slots(shape)


def numbers_fit(tensor: QuantizedTensor) -> bool:
    """Whether finite numbers are such as a writer of their scheme produces."""
    return not tensor.side or integers_fit(tensor)


def tensor_weights(tensor: QuantizedTensor) -> np.ndarray:
    """The weights that a tensor stands for, float32; symbols times the step of their row, but for points."""
    weights = tensor.values.astype(np.float32)
    return weights * tensor.side[0].astype(np.float32)[:, None] if tensor.side else weights


def dequantize_weights(quantized: dict[str, QuantizedTensor]) -> dict[str, Tensor]:
    """The weights that the artifact stands for, float32 on the CPU, as a state dict."""
    return {name: torch.from_numpy(tensor_weights(tensor)) for name, tensor in quantized.items()}


# ------------------------------------------------ artifact.accounting -------------------------------------------------
# Where an artifact's bytes go: by tensor and kind, which are symbols, scales, tables and passthrough.
#
# What is compressed together has no sizes of its own. Every array is taken at the order-0 entropy of its bytes, plane by
# plane, and all of them are scaled to add up to the file.


def entropy_bytes(array: np.ndarray) -> float:
    """Order-0 entropy of an array's first bytes, second bytes, ..., added up."""
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.itemsize).T
    counts = np.concatenate([np.bincount(plane) for plane in planes])
    return float((counts * -np.log2(np.maximum(counts, 1) / max(array.size, 1))).sum()) / 8


def byte_shares(quantized: dict[str, QuantizedTensor], file_bytes: int) -> dict[tuple[str, str], float]:
    """Bytes of a file by tensor and kind, in order of name."""
    shares: dict[tuple[str, str], float] = {}
    for name, tensor in sorted(quantized.items()):
        values, kinds = tensor.values, [kind for kind, _, _ in scheme_slots(tensor.shape)[tensor.scheme]]
        for kind, array in zip(kinds, (values, *tensor.side), strict=True):
            shares[name, kind] = shares.get((name, kind), 0) + entropy_bytes(array)
    scale = file_bytes / sum(shares.values())
    return {key: scale * share for key, share in shares.items()}


def share_lines(shares: dict[tuple[str, str], float]) -> list[str]:
    """Log lines of the result of `byte_shares`, and of the sum of each kind over all tensors."""
    sums = {("all", kind): sum(share for key, share in shares.items() if key[1] == kind) for _, kind in shares}
    return [f"artifact_bytes:{name} {kind}:{share:.0f}" for (name, kind), share in (shares | sums).items()]


# -------------------------------------------------- artifact.require --------------------------------------------------
# Refusal of artifacts that are not what they should be.


def require_artifact(condition: bool, expected: str, found: object) -> None:
    """`InputError` unless `condition` holds."""
    if not condition:
        raise InputError(f"artifact: expected {expected}, found {found}; train again or use the build that wrote it")


# ------------------------------------------------ artifact.compressor -------------------------------------------------
# The compression of the payload: the one place that knows all compressors.


def compress(payload: bytes) -> bytes:
    """Brotli needs about 2 s for a million weights."""
    return brotli.compress(payload, quality=11, lgwin=24)


def decompress(body: bytes, payload_bytes: int) -> bytes:
    """The payload, never much more than `payload_bytes` of it; `InputError` unless it has just this size."""
    failure = brotli.error
    try:
        decoder = brotli.Decompressor()
        payload = decoder.process(body, output_buffer_limit=payload_bytes + 1)
        complete = decoder.is_finished()
    except failure:
        payload, complete = b"", False
    require_artifact(complete and len(payload) == payload_bytes, f"a stream of {payload_bytes} bytes", "another")
    return payload


# ----------------------------------------------------- base.fp16 ------------------------------------------------------
# What half precision, in which steps are stored, can hold.


SMALLEST_STEP = 5.960464477539063e-08  # 2^-24, the smallest number above zero in fp16


# ---------------------------------------------------- model.linear ----------------------------------------------------
# Layers with fp32 master weights and products in the dtype of the activations: bf16 on CUDA, fp32 on CPU.


def rms_norm(x: Tensor) -> Tensor:
    """Root-mean-square norm over the last dimension, without a weight."""
    return F.rms_norm(x, (x.size(-1),))


class CastedLinear(nn.Linear):
    """Linear map without bias. Starts at zero, or orthogonal with gain 1 if the recipe asks, or as torch does."""

    def __init__(self, in_features: int, out_features: int, zero_init: bool = False) -> None:
        super().__init__(in_features, out_features, bias=False)
        if zero_init:
            nn.init.zeros_(self.weight)
        elif min(in_features, out_features) >= 64:
            nn.init.orthogonal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


class CastedEmbedding(nn.Embedding):
    """Embedding table, N(0, std^2). Its output's dtype is that of all activations."""

    def __init__(self, num_embeddings: int, dim: int, std: float) -> None:
        super().__init__(num_embeddings, dim)
        nn.init.normal_(self.weight, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).to(torch.bfloat16 if tokens.is_cuda else torch.float32)


# --------------------------------------------------- model.context ----------------------------------------------------
# What the blocks of one forward pass share.


class Context:
    """What blocks receive beside the activations.

    A component that hands something from one place to another declares it here and sets it itself: where it is off,
    nothing of it is left.
    """

    def __init__(self, x0: Tensor, rotary: tuple[Tensor, Tensor]) -> None:
        self.x0 = x0  # the stack's first activation, [B, T, model_dim]
        self.rotary = rotary  # of `rotary_tables`
        self.skips: list[Tensor] = []  # outputs of layers that are still to be merged


# ---------------------------------------------------- model.flash -----------------------------------------------------
# Causal attention by the fastest kernel at hand. The one place that imports FlashAttention-3.


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention over own and earlier positions, scores scaled by D^-1/2.

    q [B, T, H, D]; k, v [B, T, Hkv, D], each shared by H / Hkv query heads; returns [B, T, H, D]. The flash kernel is
    used on CUDA only and takes this layout as it is.
    """
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)


# ---------------------------------------------------- model.rotary ----------------------------------------------------
# Rotary position embedding of the leading dimensions of each head (partial RoPE; half-split pairing).


def rotary_tables(length: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, 1, rope_dims / 2], on the device and in the dtype of `like`.

    Pair i turns by t * base^(-2i / r) at position t, r = rope_dims. On texts longer than in training, partial RoPE
    raises the base by (length / seq_len)^(r / (r - 2)): the slowest pair then ends where it ended in training (NTK).
    """
    rotated = 16
    base = 10000.0
    if length > 128:
        # With a single pair the base has no effect; the maximum avoids dividing by zero there.
        base *= (length / 128) ** (rotated / max(rotated - 2, 1))
    steps = torch.arange(0, rotated, 2, dtype=torch.float32, device=like.device)
    angles = torch.outer(torch.arange(length, dtype=torch.float32, device=like.device), base ** (-steps / rotated))
    return angles.cos()[:, None].to(like.dtype), angles.sin()[:, None].to(like.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + n) of x [B, T, H, D] by the tables' angles, n = cos.size(-1); dimensions from 2n on stay."""
    first, second, rest = x.tensor_split((cos.size(-1), 2 * cos.size(-1)), dim=-1)
    return torch.cat((first * cos + second * sin, second * cos - first * sin, rest), dim=-1)


# ----------------------------------------------------- model.xsa ------------------------------------------------------
# XSA: the last layers remove from attention's output what lies along the own position's value (#1218).


def exclude_own_value(attn: Any, y: Tensor, v: Tensor) -> Tensor:
    """Remove from y [B, T, H, D] its component along v [B, T, Hkv, D], in the last `xsa_layers` layers.

    y - (y . v^) v^ with v^ = v / |v|, for each query head with the value of its group.
    """
    if attn.layer < 0:
        return y
    unit = F.normalize(v, dim=-1).unsqueeze(-2)
    grouped = y.unflatten(2, (v.size(2), -1))
    return (grouped - (grouped * unit).sum(-1, keepdim=True) * unit).flatten(2, 3)


# -------------------------------------------------- model.attention ---------------------------------------------------
# Causal self-attention: grouped key/value heads, normed queries and keys, rotary positions.


class Attention(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; the output projection starts at zero. `layer` is its block's."""

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.c_q = CastedLinear(128, 128)
        self.c_k = CastedLinear(128, 64)
        self.c_v = CastedLinear(128, 64)
        self.proj = CastedLinear(128, 128, zero_init=True)
        self.q_gain = nn.Parameter(torch.full((4,), 4.0))

    def forward(self, x: Tensor, ctx: Context) -> Tensor:
        v = self.c_v(x)
        v = v.unflatten(-1, (2, -1))
        k = rms_norm(self.c_k(x).unflatten(-1, (2, -1)))
        q = rms_norm(self.c_q(x).unflatten(-1, (4, -1)))
        q = rotate(q, *ctx.rotary) * self.q_gain.to(q.dtype)[:, None]
        y = attend(q, rotate(k, *ctx.rotary), v)
        y = exclude_own_value(self, y, v)
        return self.proj(y.flatten(2))


# --------------------------------------------------- model.ln_scale ---------------------------------------------------
# LN scale: what a branch reads is damped with depth (R1, #1218).


def damp(block: Any, x: Tensor) -> Tensor:
    """x / sqrt(layer + 1), for the layer of a block counted from 0."""
    return x * (block.layer + 1) ** -0.5


# ----------------------------------------------------- model.mlp ------------------------------------------------------
# Feed-forward layer with a squared rectifier.


class MLP(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim] through `hidden_dim`; the second matrix starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = CastedLinear(128, 384)
        self.proj = CastedLinear(384, 128, zero_init=True)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.fc(x), 0.5)
        return self.proj(h.square())


# ---------------------------------------------------- model.block -----------------------------------------------------
# One layer: residual mix with the first activation, then attention and MLP, each scaled per channel.


class Block(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; `layer` is its place among the blocks, from 0."""

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.attn = Attention(layer)
        self.mlp = MLP()
        self.attn_scale = nn.Parameter(torch.ones(128))
        self.mlp_scale = nn.Parameter(torch.ones(128))
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(128), torch.zeros(128))))

    def forward(self, x: Tensor, ctx: Context) -> Tensor:
        mix = self.resid_mix.to(x.dtype)
        x = mix[0] * x + mix[1] * ctx.x0
        x = x + self.attn_scale.to(x.dtype) * self.attn(damp(self, rms_norm(x)), ctx)
        return x + self.mlp_scale.to(x.dtype) * self.mlp(damp(self, rms_norm(x)))


# ---------------------------------------------------- model.skips -----------------------------------------------------
# U-Net skips: the first half of the layers push their outputs, the rest merge them, last in first out.


def init_skips(model: nn.Module) -> None:
    """Weights a channel and, with skip gates, logits of shares: [num_skips, model_dim], in the order of merging."""
    model.skip_weights = nn.Parameter(torch.ones(1, 128))
    model.skip_gates = nn.Parameter(torch.zeros(1, 128))


def push_skip(depth: int, x: Tensor, ctx: Context) -> None:
    """Keep the output x of visit `depth`, counted from 0, if it is one of those that push."""
    if depth < 1:
        ctx.skips.append(x)


def merge_skip(model: Any, depth: int, x: Tensor, ctx: Context) -> Tensor:
    """What visit `depth` reads: x, with the last skip if it does not push and there is one left."""
    i = depth - 1
    if i < 0 or not ctx.skips:
        return x
    skip = model.skip_weights[i].to(x.dtype) * ctx.skips.pop()
    return torch.lerp(skip, x, torch.sigmoid(model.skip_gates[i].to(x.dtype)))


# ----------------------------------------------------- model.gpt ------------------------------------------------------
# The language model: tied embeddings around a stack of blocks with U-Net skips.


def parameter_kind(name: str) -> str:
    """Group of a parameter by its state-dict name: "embed" (tables), "matrix" (linear maps) or "scalar" (the rest)."""
    if name.endswith(("emb.weight", "embed.weight")):
        return "embed"
    return "matrix" if name.endswith(".weight") else "scalar"


class GPT(nn.Module):
    """Tokens to logits or loss. Initialised under torch's current seed; may be built on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.tok_emb = CastedEmbedding(1024, 128, 0.005)
        self.blocks = nn.ModuleList(Block(layer) for layer in range(3))
        init_skips(self)

    def final_hidden(self, tokens: Tensor) -> Tensor:
        """Normed output of the last block [B, T, model_dim] for tokens int64 [B, T]: what the tied head reads."""
        x = self.tok_emb(tokens)
        x = rms_norm(x)
        ctx = Context(x, rotary_tables(tokens.size(1), x))
        for depth, block in enumerate(self.blocks):
            x = merge_skip(self, depth, x, ctx)
            x = block(x, ctx)
            push_skip(depth, x, ctx)
        return rms_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """fp32 logits [B, T, vocab_size] of `final_hidden`, bounded by the softcap."""
        z = F.linear(hidden, self.tok_emb.weight.to(hidden.dtype)).float()
        return 30.0 * torch.tanh(z / 30.0)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits of `tokens`, or the mean loss in nats of targets int64 [B, T]."""
        logits = self.logits(self.final_hidden(tokens))
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


# ------------------------------------------------- artifact.artifact --------------------------------------------------
# The model's half of a submission: quantized weights in one compressed file, read back without trusting a byte of it.
#
# Layout: magic, format version, recipe (8 bytes of its hash), size of the payload, 8 bytes of a SHA-256 over everything
# else, compressed payload; where a recipe has coded schemes, then their coded stream and its size. The payload is a
# table, one line `name scheme dimensions` for each tensor in order of name, then what the schemes store, all numbers of
# one dtype after the other, in the tensors' order, those of several bytes as planes of first, second, ... bytes. Nothing
# is executed or unpickled, and equal weights give equal bytes.


ARTIFACT_MAGIC = b"GOLF"
ARTIFACT_VERSION = 2
ARTIFACT_HEAD = "<4sB8sI8s"  # magic, version, recipe, bytes of the payload, checksum
CHECKSUM_BYTES = 8
LONGEST_TABLE_LINE = 256
STREAM_DTYPES = ("<i1", "<u2", "<f2", "<f4")


def table_line(name: str, scheme: int, shape: tuple[int, ...]) -> str:
    return " ".join(map(str, (name, scheme, *shape)))


def write_table(quantized: dict[str, QuantizedTensor]) -> bytes:
    return "\n".join(table_line(name, t.scheme, t.shape) for name, t in sorted(quantized.items())).encode()


def split_planes(arrays: list[np.ndarray], dtype: str | np.dtype) -> bytes:
    """The numbers of all arrays of a dtype in a row, as planes of bytes, so that bytes with exponents lie together."""
    flat = np.concatenate([np.empty(0, dtype), *(array.ravel() for array in arrays if array.dtype == dtype)])
    return flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()


def merge_planes(planes: memoryview, dtype: str) -> np.ndarray:
    """Inverse of `split_planes`, as one flat array."""
    return np.frombuffer(planes, np.uint8).reshape(np.dtype(dtype).itemsize, -1).T.copy().view(dtype).ravel()


def stored_arrays(tensor: QuantizedTensor) -> tuple[np.ndarray, ...]:
    """What the payload holds of a tensor, as `scheme_slots` lists it."""
    return tensor.side if tensor.scheme < 0 else (tensor.values, *tensor.side)


def write_payload(quantized: dict[str, QuantizedTensor]) -> bytes:
    """Table and numbers of all tensors, not yet compressed."""
    arrays = [array for _, tensor in sorted(quantized.items()) for array in stored_arrays(tensor)]
    return b"".join([write_table(quantized), b"\n\n", *(split_planes(arrays, dtype) for dtype in STREAM_DTYPES)])


def read_table(table: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Scheme of each tensor in order of name; `InputError` unless the table lists just the tensors of `shapes`."""
    lines = table.decode("ascii", "replace").split("\n")
    require_artifact(len(lines) == len(shapes), f"{len(shapes)} tensors", len(lines))
    schemes = {}
    for line, (name, shape) in zip(lines, sorted(shapes.items()), strict=True):
        choices = {table_line(name, scheme, shape): scheme for scheme in scheme_slots(shape)}
        require_artifact(line in choices, f"{name} of shape {shape}", repr(line[:LONGEST_TABLE_LINE]))
        schemes[name] = choices[line]
    return schemes


def read_arrays(data: memoryview, slots: list[tuple[str, str, tuple[int, ...]]]) -> list[np.ndarray]:
    """Arrays of the given kinds, dtypes and shapes from the streams that hold them in this order."""
    sizes = {dtype: sum(math.prod(shape) for _, kind, shape in slots if kind == dtype) for dtype in STREAM_DTYPES}
    data_bytes = sum(size * np.dtype(dtype).itemsize for dtype, size in sizes.items())
    require_artifact(len(data) == data_bytes, f"{data_bytes} bytes of numbers", len(data))
    streams, start = {}, 0
    for dtype, size in sizes.items():
        end = start + size * np.dtype(dtype).itemsize
        streams[dtype], start = merge_planes(data[start:end], dtype), end
    arrays = []
    for _, dtype, shape in slots:
        array, streams[dtype] = np.split(streams[dtype], [math.prod(shape)])
        arrays.append(array.reshape(shape))
    return arrays


def read_payload(
    payload: bytes, shapes: dict[str, tuple[int, ...]]
) -> dict[str, QuantizedTensor]:
    """Inverse of `write_payload`; `InputError` unless it holds just the tensors of `shapes`, all numbers valid.

    `body` is what follows the artifact's head, with the coded stream at its end.
    """
    end = payload.find(b"\n\n")
    schemes = read_table(payload[: max(end, 0)], shapes)
    slots = {name: scheme_slots(shapes[name])[scheme] for name, scheme in schemes.items()}
    stored = iter(read_arrays(memoryview(payload)[end + 2 :], [slot for some in slots.values() for slot in some]))
    arrays = {name: list(islice(stored, len(some))) for name, some in slots.items()}
    quantized = {}
    for name, scheme in schemes.items():
        values, *side = arrays[name]
        tensor = QuantizedTensor(scheme, values, tuple(side))
        valid = all(np.isfinite(array).all() for array in arrays[name]) and numbers_fit(tensor)
        require_artifact(valid, f"numbers of scheme {scheme} in {name}", "others")
        quantized[name] = tensor
    return quantized


def encode_artifact(quantized: dict[str, QuantizedTensor]) -> bytes:
    """The file's bytes."""
    payload = write_payload(quantized)
    body = compress(payload)
    fields = ARTIFACT_MAGIC, ARTIFACT_VERSION, bytes.fromhex("70480ad5310412c9"), len(payload)
    head = struct.pack(ARTIFACT_HEAD, *fields, b"")[:-CHECKSUM_BYTES]
    return head + hashlib.sha256(head + body).digest()[:CHECKSUM_BYTES] + body


def decode_artifact(blob: bytes) -> dict[str, QuantizedTensor]:
    """Inverse of `encode_artifact`, checked against the recipe's own model: nothing larger is ever allocated.

    Raises `InputError` for a file that is foreign, of another version or recipe, damaged, cut short or too long.
    """
    head_bytes = struct.calcsize(ARTIFACT_HEAD)
    require_artifact(len(blob) >= head_bytes, f"at least {head_bytes} bytes", len(blob))
    magic, version, recipe, payload_bytes, checksum = struct.unpack(ARTIFACT_HEAD, blob[:head_bytes])
    require_artifact(magic == ARTIFACT_MAGIC, f"magic {ARTIFACT_MAGIC!r}", magic)
    require_artifact(version == ARTIFACT_VERSION, f"format version {ARTIFACT_VERSION}", version)
    body = blob[head_bytes:]
    actual = hashlib.sha256(blob[: head_bytes - CHECKSUM_BYTES] + body).digest()[:CHECKSUM_BYTES]
    require_artifact(actual == checksum, f"checksum {checksum.hex()}", f"{actual.hex()}: damaged, or cut short")
    require_artifact(recipe.hex() == "70480ad5310412c9", "recipe 70480ad5310412c9", recipe.hex())
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in GPT().state_dict().items()}
    most_bytes = sum(4 * math.prod(shape) + LONGEST_TABLE_LINE for shape in shapes.values())
    require_artifact(payload_bytes <= most_bytes, f"at most {most_bytes} bytes of payload", payload_bytes)
    return read_payload(decompress(body, payload_bytes), shapes)


# ------------------------------------------------------ base.log ------------------------------------------------------
# The run's log: each line to standard output and to a file, from the main rank alone.


class Log:
    """Call it with a line of text. The file starts empty, so a log never holds two runs.

    `InputError` when the file cannot be written, for want of space or of permission.
    """

    def __init__(self, path: Path, enabled: bool) -> None:
        self.path = path
        self.enabled = enabled
        self.write("w", "")

    def __call__(self, text: str) -> None:
        if self.enabled:
            print(text, flush=True)
        self.write("a", text + "\n")

    def write(self, mode: str, text: str) -> None:
        if self.enabled:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open(mode, encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise unwritable(self.path, error) from None


def unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: expected a file that can be written, found: {error.strerror}; RUN_DIR names its folder")


# ----------------------------------------------------- base.ranks -----------------------------------------------------
# Process ranks: one value that works the same for one process and for many.


@dataclass(frozen=True)
class Ranks:
    """Place of this process among all; with `world_size` 1 every collective is a no-op."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """All-reduce in place with SUM; the same bits arrive on every rank."""
        if self.world_size > 1:
            try:
                dist.all_reduce(tensor)
            except RuntimeError as error:
                if "peer" not in str(error):
                    raise
                os._exit(1)  # another rank is gone and has said why; nothing is left to be cleaned up
        return tensor

    def sum_all_(self, tensors: list[Tensor]) -> None:
        """`sum_` of many tensors of one dtype, in one flat buffer."""
        if self.world_size > 1:
            flat = self.sum_(torch.cat([tensor.flatten() for tensor in tensors]))
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self.sum_(torch.zeros((), device=self.device)).item()


def open_ranks() -> Ranks:
    """Join the process group that torchrun announces in the environment: NCCL on CUDA, gloo on CPU."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32 for what is not bf16
    if world_size > 1:
        # Loaded later, by the first optimizer, dynamo would keep the group as a default argument of its functions. The
        # group would outlive `close_ranks`, and a thread of gloo now and then abort the interpreter's exit.
        importlib.import_module("torch._dynamo")
        # The time limit is for ranks that wait while one of them quantizes or mixes.
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    return Ranks(rank, world_size, device)


def close_ranks(ranks: Ranks) -> None:
    if ranks.world_size > 1:
        dist.destroy_process_group()


# ---------------------------------------------------- base.native -----------------------------------------------------
# C at run time: a component's source, made into a library by the compiler of the machine that runs.


@cache
def compile_native(source: str) -> ctypes.CDLL:
    """C11 source with GNU extensions as a library, compiled once in a process; its calls run without Python's lock.

    The compiler is `cc`, or the command in the environment's CC. It may not reorder or fuse floating-point
    operations, so vector units change no result. `InputError` where it is missing or fails.
    """
    compiler = os.environ.get("CC", "cc")
    flags = "-std=gnu11 -O3 -ffp-contract=off -fPIC -shared -pthread -x c - -lm -o"
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder, "native.so"))
            for machine in ("-march=native", ""):  # not every compiler knows every machine
                done = subprocess.run(
                    [*shlex.split(f"{compiler} {machine} {flags}"), target],
                    input=source,
                    env={**os.environ, "LC_ALL": "C"},
                    capture_output=True,
                    text=True,
                )
                if done.returncode == 0:
                    return ctypes.CDLL(target)
        errors = (line for line in done.stderr.splitlines() if "error" in line)
        found = next(errors, f"exit code {done.returncode}")
    except (OSError, ValueError) as error:
        found = str(error)
    raise InputError(f"C compiler {compiler!r}: expected a library, found: {found}; install one, or name it in CC")


def call(function: Any, *arguments: Any) -> None:
    """Call a C function whose arguments are all 64 bits wide: integers and addresses of arrays."""
    function(*map(ctypes.c_int64, addresses(arguments).tolist()))


def addresses(values: Iterable[Any]) -> np.ndarray:
    """Integers, and where arrays begin, as int64: a C struct. It does not keep the arrays."""
    return np.array([value.ctypes.data if isinstance(value, np.ndarray) else value for value in values], np.int64)


def zeros(size: int) -> np.ndarray:
    """Bytes in pages of their own, large ones where the system has them; pages never written take no memory."""
    pages = mmap.mmap(-1, size)
    pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


# ----------------------------------------------- quantizing.passthrough -----------------------------------------------
# Which tensors become symbols in the artifact, and how the others stay plain numbers.


def require_finite(name: str, tensor: Tensor) -> None:
    """`InputError` naming the tensor unless all of it is finite."""
    others = int((~tensor.isfinite()).sum())
    if others:
        raise InputError(
            f"{name}: expected finite numbers below 65,504, found {others} others of {tensor.numel()}; "
            "lower the learning rates"
        )


def is_quantized(name: str, weight: Tensor) -> bool:
    """Whether a parameter becomes integers in the artifact: large tables and linear maps do."""
    return parameter_kind(name) != "scalar" and weight.numel() > 4096


def large_matrices(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Name and weight, float32 [R, C], of all that becomes integers; `InputError` for numbers that are not finite."""
    for name, tensor in state.items():
        if is_quantized(name, tensor):
            require_finite(name, tensor)
            yield name, tensor.detach().float()


def with_passthrough(
    matrices: dict[str, QuantizedTensor], state: dict[str, Tensor]
) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict: the quantized matrices, and the others as plain numbers.

    Matrices that are left become fp16. Vectors and scalars, which control the network, stay fp32 if the method does not
    make these fp16 as well.
    """
    quantized = dict(matrices)
    for name, tensor in state.items():
        if name not in matrices:
            weight = tensor.detach().float()
            short = weight.ndim >= 2 or False
            if short:
                weight = weight.half()
            require_finite(name, weight)
            quantized[name] = QuantizedTensor(SCHEME_FP16 if short else SCHEME_FP32, weight.cpu().numpy().copy())
    return quantized


# ------------------------------------------------ quantizing.rounding -------------------------------------------------
# Symbols of one step a row: what methods that store integers share.


def symbol_bits(name: str) -> int:
    """Bits of a matrix by its state-dict name."""
    return 8 if parameter_kind(name) == "embed" else 6


def round_symbols(x: Tensor, scale: Tensor, q_max: int) -> Tensor:
    """Nearest multiples of `scale` as whole numbers of [-q_max, q_max], in the dtype of x."""
    return (x / scale).round().clamp(-q_max, q_max)


def rounding_line(quantized: dict[str, QuantizedTensor], num_hessians: int) -> str:
    """Log line of how many matrices were rounded by their Hessian, and how many to nearest."""
    return (
        f"GPTQ quantization: {num_hessians} layers with full GPTQ, "
        f"{sum(len(tensor.side) > 0 for tensor in quantized.values()) - num_hessians} fallback to round-to-nearest"
    )


# ---------------------------------------------------- text.shards -----------------------------------------------------
# Token shards in the competition's format: a 1024-byte header of 256 int32, then N tokens as uint16, little-endian.


SHARD_MAGIC = 20240520  # header[0]; header[1] is the version, header[2] the number of tokens, the rest is 0
SHARD_VERSION = 1
SHARD_HEADER_INTS = 256


def find_shards(data_path: Path, split: str) -> list[Path]:
    """Shards of "train" or "val" in a folder, in the order of their names; `InputError` if there are none."""
    paths = sorted(data_path.glob(f"fineweb_{split}_*.bin"))
    if not paths:
        raise InputError(f"{data_path}: expected shards fineweb_{split}_*.bin, found none; DATA_PATH names the folder")
    return paths


def read_shard(path: Path) -> np.ndarray:
    """Tokens of a shard as a read-only memory map, uint16[N].

    Raises `InputError` unless magic and version match and the file holds exactly the tokens that its header announces.
    """
    header = np.fromfile(path, "<i4", SHARD_HEADER_INTS)
    found = header[:2].tolist() if len(header) == SHARD_HEADER_INTS else "a file shorter than the header"
    if found != [SHARD_MAGIC, SHARD_VERSION]:
        raise InputError(f"{path}: expected a shard, magic and version [{SHARD_MAGIC}, {SHARD_VERSION}], found {found}")
    num_tokens = int(header[2])
    num_bytes = path.stat().st_size
    if num_tokens < 1 or num_bytes != header.nbytes + 2 * num_tokens:
        raise InputError(
            f"{path}: expected 1024 + 2N bytes for the N = {num_tokens} tokens of its header (at least 1), "
            f"found {num_bytes} bytes; fetch or build it again"
        )
    return np.memmap(path, "<u2", "r", header.nbytes, (num_tokens,))


def check_token_ids(tokens: np.ndarray, vocab_size: int, path: Path) -> None:
    """`InputError` unless every id is below the vocabulary's size; such ids would crash a GPU far from their cause."""
    if tokens.max() >= vocab_size:
        raise InputError(
            f"{path}: expected ids below model.vocab_size = {vocab_size}, found {tokens.max()}; "
            "the shard is of another tokenizer"
        )


def require_batch(num_windows: int) -> None:
    """`InputError` unless the shards hold the sequences of one step."""
    needed = 16
    if num_windows < needed:
        raise InputError(
            f"training shards: expected at least one batch, {needed} sequences of train.seq_len = 128 tokens, found {num_windows}; add shards or lower train.batch_tokens"
        )


def read_tokens(paths: list[Path], vocab_size: int) -> np.ndarray:
    """All tokens of the shards, one after the other, uint16[N]; ids are checked and N is at least 2."""
    shards = [read_shard(path) for path in paths]
    for path, shard in zip(paths, shards, strict=True):
        check_token_ids(shard, vocab_size, path)
    tokens = np.concatenate(shards)
    if len(tokens) < 2:
        raise InputError(f"{paths[0]}: expected at least 2 tokens, a context and its target, found {len(tokens)}")
    return tokens


# ---------------------------------------------------- text.coprime ----------------------------------------------------
# The coprime loader: blocks of all shards, in each by a stride coprime with their number (#726, as #1218 has it).


COPRIME_RAMP_STEPS = 1800  # steps over which a batch comes to draw on more shards


class BlockOrder:
    """Order of one shard's blocks of seq_len tokens: random phase and first block, stride coprime with their number.

    Each block comes once before a new phase and stride are drawn. `left` is the number still to come.
    """

    def __init__(self, offset: int, length: int, seq_len: int, rng: np.random.Generator) -> None:
        self.offset = offset  # of the shard in the stream of all shards
        self.length = length  # above seq_len: the last target needs one more token
        self.seq_len = seq_len
        self.rng = rng
        self.restart()

    def restart(self) -> None:
        self.phase = int(self.rng.integers(min(self.seq_len, self.length - self.seq_len)))
        self.left = self.blocks = (self.length - 1 - self.phase) // self.seq_len
        self.block = int(self.rng.integers(self.blocks))
        self.stride = self.blocks
        while math.gcd(self.stride, self.blocks) > 1:
            self.stride = int(self.rng.integers(1, self.blocks))

    def take(self) -> int:
        """Start of the next block in the stream."""
        if not self.left:
            self.restart()
        self.left -= 1
        self.block = (self.block + self.stride) % self.blocks
        return self.offset + self.phase + self.block * self.seq_len


def coprime_steps(lengths: list[int], seed: int) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the stream of all shards.

    Shards are drawn with weight (blocks left)^alpha; alpha falls from 0.9 to 0.5 and the number of shards in a batch
    grows, both over `COPRIME_RAMP_STEPS`. `micro_batches` stands where #726 has the number of ranks.
    """
    rng = np.random.default_rng(seed)
    offsets = (np.cumsum(lengths) - lengths).tolist()
    orders = [
        BlockOrder(offset, length, 128, rng)
        for offset, length in zip(offsets, lengths, strict=True)
        if length > 128
    ]
    require_batch(sum(order.blocks for order in orders))
    num_windows = 16
    most = min(len(orders), num_windows)
    fewest_shards = min(8, most)
    most_shards = min(32, most)
    for step in itertools.count():
        progress = min(step / COPRIME_RAMP_STEPS, 1)
        weights = np.array([max(order.left, 1) for order in orders]) ** (0.9 - 0.4 * progress)
        num_shards = round(fewest_shards + progress * (most_shards - fewest_shards))
        chosen = rng.choice(len(orders), num_shards, replace=False, p=weights / weights.sum())
        extra = rng.multinomial(num_windows - num_shards, weights[chosen] / weights[chosen].sum())
        starts = [orders[i].take() for i, more in zip(chosen, extra, strict=True) for _ in range(1 + more)]
        yield rng.permutation(starts).reshape(2, -1)


# ---------------------------------------------------- text.loader -----------------------------------------------------
# Training batches from shards, in the order of the recipe's loader.
#
# A loader plans windows for the whole step and numbers its micro-batches 0, 1, ... `micro_batches` - 1. Rank r of w takes
# numbers r, r + w, r + 2w, ... so a step trains on the same sequences whatever the number of ranks.


class TokenLoader:
    """One rank's micro-batches. `steps` plans windows; the tokens are read from memory-mapped shards."""

    def __init__(
        self,
        paths: list[Path],
        shards: list[np.ndarray],
        steps: Iterator[np.ndarray],
        rank: int,
        world_size: int,
    ) -> None:
        self.paths = paths
        self.shards = shards
        self.ends = np.cumsum([len(shard) for shard in shards])
        self.steps = steps
        self.starts = next(steps)
        self.micro_batch = rank
        self.world_size = world_size

    def read_window(self, start: int) -> np.ndarray:
        """uint16[seq_len + 1] from a position of the endless stream; runs on into the next shard."""
        start %= int(self.ends[-1])
        i = int(np.searchsorted(self.ends, start, side="right"))
        window = self.shards[i][start - self.ends[i] :][: 129]
        while len(window) <= 128:
            i = (i + 1) % len(self.shards)
            window = np.concatenate([window, self.shards[i][: 129 - len(window)]])
        check_token_ids(window, 1024, self.paths[i])
        return window

    def next_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of this rank's next micro-batch, int64[b, seq_len] on the CPU; y is x one token on."""
        while self.micro_batch >= 2:
            self.starts = next(self.steps)
            self.micro_batch -= 2
        windows = np.stack([self.read_window(start) for start in self.starts[self.micro_batch].tolist()])
        self.micro_batch += self.world_size
        tokens = torch.from_numpy(windows.astype(np.int64))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def make_loader(paths: list[Path], rank: int, world_size: int, seed: int) -> TokenLoader:
    """The recipe's loader from its beginning. The contiguous stream is the same for every seed, as in B0.

    Raises `InputError` for files that are no shards, and for shards that hold less than one batch.
    """
    shards = [read_shard(path) for path in paths]
    lengths = [len(shard) for shard in shards]
    return TokenLoader(paths, shards, plan_steps(lengths, seed), rank, world_size)


def plan_steps(lengths: list[int], seed: int) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the stream of shards of these lengths."""
    return coprime_steps(lengths, seed)


# -------------------------------------------------- quantizing.gptq ---------------------------------------------------
# GPTQ (Frantar et al., arXiv 2210.17323): rounding a matrix so that its outputs, not its weights, stay close.
#
# Columns are rounded one after another; what one loses is made up for by the columns not yet rounded, as far as the
# Hessian of the layer's inputs says they can stand in for it.


DAMPING_ATTEMPTS = 5  # each with ten times the damping of the one before


def outer_products(x: Tensor) -> Tensor:
    """sum x x^T of [..., C] in float32, as float64 [C, C], where sums over batches lose next to nothing."""
    x = x.detach().flatten(0, -2).float()
    return (x.T @ x).double()


def watch_inputs(hessian: Tensor, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Forward pre-hook: add the outer products of a layer's input [..., C] to its Hessian float64 [C, C]."""
    hessian += outer_products(inputs[0])


@torch.no_grad()
def collect_hessians(model: GPT, loader: TokenLoader, ranks: Ranks) -> dict[str, Tensor]:
    """H = mean over batches of sum x x^T, fp32 [C, C], of each quantized linear map's inputs, by its weight's name.

    The tied table is rounded as the output layer that reads the final norm; a table that is only looked up has no H.
    `model` must not be compiled, or its hooks stay silent. Published records keep the sum of rank 0's batches alone,
    so their artifact depends on the number of ranks. Here `calibration_batches` are shared out and the sums added up:
    the same Hessians whatever the number of ranks, and a share of the time on each.
    """
    zeros = partial(torch.zeros, dtype=torch.float64, device=ranks.device)
    hessians: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        key = f"{name}.weight"
        if isinstance(module, nn.Linear) and is_quantized(key, module.weight):
            hessians[key] = zeros(module.in_features, module.in_features)
            hooks.append(module.register_forward_pre_hook(partial(watch_inputs, hessians[key])))
    head = zeros(128, 128)
    for _ in range(ranks.rank, 32, ranks.world_size):
        tokens, _ = loader.next_batch()
        head += outer_products(model.final_hidden(tokens.to(ranks.device)))
    for hook in hooks:
        hook.remove()
    if is_quantized("tok_emb.weight", model.tok_emb.weight):
        hessians["tok_emb.weight"] = head
    # Rounded, because the last bits depend on the order of sums, and no symbol may.
    return {name: (ranks.sum_(total) / 32).float() for name, total in hessians.items()}


def sd_clip_scale(weight: Tensor, clip_sigmas: float, q_max: int) -> Tensor:
    """SDClip (#1394): a row's largest symbol stands for k deviations (n - 1); [R, C] -> steps [R, 1], rounded to fp16.

    The deviation says nothing about the size of a row that is nearly constant; there the largest weight counts.
    """
    columns = weight.size(1)
    clip = clip_sigmas * weight.std(1, correction=min(columns - 1, 1), keepdim=True)
    clip = torch.where(clip > weight.mean(1, keepdim=True).abs(), clip, weight.abs().amax(1, keepdim=True))
    return (clip / q_max).clamp_min(SMALLEST_STEP).half().float()


def inverse_factor(hessian: Tensor, damping: float) -> Tensor:
    """Upper triangular U, positive diagonal, with U^T U = (H + damping * mean(diag H) * I)^-1; float64 [C, C].

    With H = R R^T, R upper triangular, U is R^-1, which spares forming the inverse itself. R is the Cholesky factor
    of H with both axes reversed. Where H is not positive definite for all its damping, the damping is raised.
    """
    reverse = hessian.double().flip(0, 1)
    identity = torch.eye(len(reverse), dtype=torch.float64, device=reverse.device)
    for attempt in range(DAMPING_ATTEMPTS):
        damped = reverse + damping * 10**attempt * reverse.diagonal().mean() * identity
        factor, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            return torch.linalg.solve_triangular(factor.flip(0, 1), identity, upper=True)
    raise InputError(
        f"Hessian: expected a positive definite matrix, found none with damping up to {damping * 10**attempt:g}; "
        "raise quantize.damping or quantize.calibration_batches"
    )


def gptq_symbols(
    weight: Tensor,  # [R, C]
    hessian: Tensor,  # [C, C], of the inputs
    scale: Tensor,  # [R, 1], one step a row
    q_max: int,
    damping: float,
    block_size: int,  # columns rounded before the others learn of it; changes the speed, not the result
) -> Tensor:
    """Symbols of a matrix, whole numbers of [-q_max, q_max] in weight's dtype and column order.

    Columns are taken by falling diagonal of H (act-order). An input that is always zero makes its column dead: it
    becomes zero, and does not count for the damping.
    """
    live = int((hessian.diagonal() > 0).sum())
    order = hessian.diagonal().argsort(descending=True, stable=True)[:live]
    symbols = torch.zeros_like(weight)
    if not live:
        return symbols
    w = weight.T[order].contiguous()  # one column of the matrix a row: contiguous
    q = torch.empty_like(w)
    u = inverse_factor(hessian[order][:, order], damping).to(w.dtype)
    for start in range(0, live, block_size):
        end = min(start + block_size, live)
        errors = torch.empty_like(w[start:end])
        for i in range(start, end):
            q[i] = round_symbols(w[i], scale[:, 0], q_max)
            errors[i - start] = (w[i] - scale[:, 0] * q[i]) / u[i, i]
            w[i + 1 : end].addr_(u[i, i + 1 : end], errors[i - start], alpha=-1)
        w[end:] -= u[start:end, end:].T @ errors
    symbols[:, order] = q.T
    return symbols


def gptq_matrix(name: str, weight: Tensor, hessian: Tensor | None) -> QuantizedTensor:
    """Symbols and steps of a weight float32 [R, C]; rounds to nearest where there is no Hessian."""
    bits = symbol_bits(name)
    q_max = 2 ** (bits - 1) - 1
    is_table = parameter_kind(name) == "embed"
    clip_sigmas = 8.0 if is_table else 6.0
    scale = sd_clip_scale(weight, clip_sigmas, q_max)
    require_finite(f"{name}, scales", scale)
    if hessian is None:
        symbols = round_symbols(weight, scale, q_max)
    else:
        require_finite(f"{name}, Hessian", hessian)
        try:
            symbols = gptq_symbols(weight, hessian, scale, q_max, 0.01, 128)
        except InputError as error:
            raise InputError(f"{name}, {error}") from None
    return integer_tensor(bits, symbols, scale)


def gptq_matrices(state: dict[str, Tensor], hessians: dict[str, Tensor]) -> dict[str, QuantizedTensor]:
    return {name: gptq_matrix(name, weight, hessians.get(name)) for name, weight in large_matrices(state)}


# ------------------------------------------------- setup.environment --------------------------------------------------
# What may change from run to run: paths, seed, lengths. The one place where the environment is read.


@dataclass(frozen=True)
class Environment:
    """Run-time overrides. Names of the variables are those of the competition where it has one."""

    data_path: Path  # DATA_PATH: folder of the shards
    tokenizer_path: Path  # TOKENIZER_PATH
    run_dir: Path  # RUN_DIR: where log and artifact go
    run_id: str  # RUN_ID
    seed: int  # SEED
    iterations: int  # ITERATIONS
    max_wallclock_seconds: float  # MAX_WALLCLOCK_SECONDS; 0 turns the clock off
    eval_only: bool  # EVAL_ONLY: score the existing artifact and stop
    artifact_path: Path  # ARTIFACT_PATH

    @property
    def log_path(self) -> Path:
        return self.run_dir / f"{'eval' if self.eval_only else 'train'}_{self.run_id}.log"


def read_number(name: str, default: float, kind: type) -> float:
    """A number from 0 up to 2^31 from the environment; `InputError` for anything else."""
    text = os.environ.get(name, str(default))
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**31:
        raise InputError(f"{name}: expected a number from 0 to 2^31 in the environment, found {text!r}")
    return value


def read_environment() -> Environment:
    """Overrides from the environment over the recipe's values."""
    env = os.environ
    seed = int(read_number("SEED", 1337, int))
    cap_seconds = float(read_number("MAX_WALLCLOCK_SECONDS", 60.0, float))
    if 0 < cap_seconds <= 3.0:
        raise InputError(
            f"MAX_WALLCLOCK_SECONDS: expected more than quantize.reserve_seconds = 3, or 0 for no clock, found {cap_seconds:g}"
        )
    run_dir = Path(env.get("RUN_DIR", "."))
    return Environment(
        data_path=Path(env.get("DATA_PATH", "data/datasets/demo_sp1024")),
        tokenizer_path=Path(env.get("TOKENIZER_PATH", "data/tokenizers/demo_1024_bpe.model")),
        run_dir=run_dir,
        run_id=env.get("RUN_ID", f"seed{seed}"),
        seed=seed,
        iterations=int(read_number("ITERATIONS", 20000, int)),
        max_wallclock_seconds=cap_seconds,
        eval_only=bool(read_number("EVAL_ONLY", 0, int)),
        artifact_path=Path(env.get("ARTIFACT_PATH", str(run_dir / "final_model.ptz"))),
    )


# --------------------------------------------------- training.clock ---------------------------------------------------
# The clock of training, which stands still around validation.


class TrainingClock:
    """Seconds of training, the device synchronised wherever they are read; stopped around validation."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = 0.0
        self.start()

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def start(self) -> None:
        self.started = self.now()

    def read(self) -> float:
        return self.seconds + self.now() - self.started


# ------------------------------------------------- quantizing.methods -------------------------------------------------
# The quantizers of weights: the one place that knows them all.
#
# To add one: a file beside this one with a function from a state dict to `QuantizedTensor`s of the matrices it makes into
# symbols, a line in `quantize_weights`, and its facts in `settings/methods.py`. What else it needs, if anything, is a
# line in the function here that is named for it. If no storage of `artifact/schemes.py` suits it, that takes a line too.


def collect(
    model: GPT,  # trained, not compiled
    loader: TokenLoader,  # of training data
    ranks: Ranks,
    clock: TrainingClock,  # that of training, which calibration is part of
    log: Callable[[str], None],
) -> Any:
    """What the method wants to know of matrices, by their weights' names: Hessians, curvatures or nothing (None)."""
    log("GPTQ:collecting Hessians from calibration data...")
    started = clock.read()
    stats: dict[str, Any]
    stats, each = collect_hessians(model, loader, ranks), 1
    log(f"GPTQ:collected {each * len(stats)} Hessians in {clock.read() - started:.1f}s")
    return stats


def quantize_weights(state: dict[str, Tensor], stats: Any) -> dict[str, QuantizedTensor]:
    """Every tensor of a state dict in the form it is stored in, by the recipe's steps; `stats` of `collect`, or {}.

    A matrix without statistics is rounded to nearest, or stays fp16 under methods that cannot do without. Raises
    `InputError` with the tensor's name where a number is not finite, or too large for fp16.
    """
    matrices = gptq_matrices(state, stats)
    return with_passthrough(matrices, state)


def quantize_model(
    state: dict[str, Tensor],
    stats: Any,
    log: Callable[[str], None],
) -> dict[str, QuantizedTensor]:
    """`quantize_weights` for a run, whose log it tells; by steps that fill the target if the recipe has one."""
    quantized = quantize_weights(state, stats)
    log(rounding_line(quantized, len(stats)))
    return quantized


# --------------------------------------------------- scoring.score ----------------------------------------------------
# From a scorer's rows to nats, and from nats to bits per byte.
#
# A scorer is a generator of rows `(first, logits, targets)`: float32 logits [n, V] of the n consecutive targets from
# `first` on, and these int64[n]. Target i is token i + 1. The order of the stream is the order of scoring: rows come in
# it, each target once, ranks share them out, and a scorer may learn from a target only after it has yielded its row.
#
# Bits per byte is the metric because it does not depend on the tokenizer: total nats over ln 2 times the bytes of text,
# where a control token costs nats and brings no byte.


def charge(
    rows: Iterator[tuple[int, Tensor, Tensor]],
    tokens: Tensor,  # int64[N]
    ranks: Ranks,
) -> Tensor:
    """Nats of every target by a scorer's rows, float64[N-1] on the CPU, bit-identical on all ranks."""
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64, device=ranks.device)
    for first, logits, targets in rows:
        nats[first : first + len(targets)] = F.cross_entropy(logits, targets, reduction="none").double()
    return ranks.sum_(nats).cpu()


def bits_per_byte(nats: Tensor | np.ndarray, target_bytes: np.ndarray) -> float:
    """The metric: all nats over all bytes."""
    return nats.sum().item() / (math.log(2) * float(target_bytes.sum()))


def score_line(label: str, nats: Tensor, target_bytes: np.ndarray, started: float) -> str:
    """The log line of a score; `started` is the `time.perf_counter()` at which its work began."""
    val_bpb = bits_per_byte(nats, target_bytes)
    milliseconds = 1000 * (time.perf_counter() - started)
    return f"{label} val_loss:{nats.mean().item():.8f} val_bpb:{val_bpb:.8f} eval_time:{milliseconds:.0f}ms"


# -------------------------------------------------- scoring.windows ---------------------------------------------------
# Windows over the validation stream: which context scores which target, and the logits that come of it.
#
# Target i is token i + 1. A window holds up to `seq_len` inputs. The first window scores all its targets, each later one
# its last `stride` (fewer at the end of the stream), so every target is scored exactly once and with at least
# `seq_len - stride` tokens before it as soon as the stream is that long. `stride = seq_len` is the non-overlapping
# evaluation. Windows ignore document boundaries, as in #1218.


def count_windows(num_targets: int, seq_len: int, stride: int) -> int:
    """Windows needed for `num_targets` targets; window k starts at input k * stride."""
    return 1 + max(0, -((seq_len - num_targets) // stride))


@torch.inference_mode()
def window_rows(
    model: nn.Module, tokens: Tensor, ranks: Ranks, stride: int
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """This rank's share of the windows, in stream order and a batch at a time.

    `tokens` is int64[N] on the CPU. Yields the index of the first target, float32 logits [n, V] of n consecutive
    targets and the targets int64[n], on the rank's device. The ranks' shares are contiguous and disjoint and cover all
    N - 1 targets. All batches have the same shape, which compiled models need; memory is that of one.
    """
    num_targets = len(tokens) - 1
    num_windows = count_windows(num_targets, 128, stride)
    skipped = 128 - stride  # targets at the start of a window that an earlier one has scored
    # Zeros after the last token fill the last window up; nothing before them sees them.
    padding = (num_windows - 1) * stride + 128 - num_targets
    windows = F.pad(tokens, (0, padding)).unfold(0, 129, stride)
    end = (ranks.rank + 1) * num_windows // ranks.world_size
    for start in range(ranks.rank * num_windows // ranks.world_size, end, 32):
        # A last batch is filled up with copies of the last window, cut off again below.
        batch = windows[torch.arange(start, start + 32).clamp_max(end - 1)].to(ranks.device)
        logits = model(batch[:, :-1])
        first = start * stride + skipped
        rows, targets = logits[:, skipped:].flatten(0, 1), batch[:, skipped + 1 :].flatten()
        if start == 0:
            first = 0
            rows, targets = torch.cat((logits[0, :skipped], rows)), torch.cat((batch[0, 1 : skipped + 1], targets))
        stop = min(num_targets, (min(start + 32, end) - 1) * stride + 128)
        yield first, rows[: stop - first].float(), targets[: stop - first]


# ------------------------------------------------- scoring.roundtrip --------------------------------------------------
# The scorer `roundtrip`: windows that do not overlap, blocks in short. Quick, so that training validates with it.


def roundtrip_rows(model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """`window_rows` at a stride of `seq_len`: the first target of a block has one token before it."""
    return window_rows(model, tokens, ranks, 128)


def score_blocks(model: nn.Module, tokens: Tensor, ranks: Ranks) -> Tensor:
    """Nats of every target by blocks, as `charge` returns them."""
    return charge(roundtrip_rows(model, tokens, ranks), tokens, ranks)


# ---------------------------------------------------- setup.device ----------------------------------------------------
# The machine under a run: its name, the memory taken, and a model on it.


def hardware_name(device: torch.device) -> str:
    """Name of the GPU, or of the CPU with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text() if cpuinfo.exists() else "")
    return f"{model[1] if model else platform.machine()}, {torch.get_num_threads()} threads"


def peak_memory(device: torch.device) -> str:
    """Log line of the GPU memory at its peak, or twice of what this process has had resident."""
    if device.type == "cuda":
        allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    else:
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
        allocated = reserved = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"peak memory allocated: {allocated >> 20} MiB reserved: {reserved >> 20} MiB"


def model_on(device: torch.device) -> GPT:
    """A model under torch's current seed, the same on any device; on CUDA a call runs one graph per input shape."""
    model = GPT().to(device)
    if device.type == "cuda":
        model.compile(dynamic=False, fullgraph=True)
    return model


# -------------------------------------------------- text.byte_tables --------------------------------------------------
# How many bytes of text a token stands for: the denominator of bits per byte.
#
# Bytes are those of the text as SentencePiece normalised it. A word marker (U+2581) in front of a piece is a space of one
# byte, except after a token that stands for no text (BOS and other control tokens), where no space was written.


WORD_MARKER = "\u2581"


@dataclass(frozen=True)
class ByteTables:
    """bytes(y | previous x) = base[y] + (space[y] and not boundary[x]), for ids x and y."""

    base: np.ndarray  # int64[V]: UTF-8 bytes without a leading word marker; 0 for pieces without text
    space: np.ndarray  # bool[V]: the piece begins with the word marker
    boundary: np.ndarray  # bool[V]: control, unknown or unused


def load_tokenizer(path: Path, vocab_size: int) -> spm.SentencePieceProcessor:
    """Read a SentencePiece model; `InputError` for a file that is none, or whose vocabulary the recipe cannot use.

    The bare word marker must be a token of its own: a vocabulary crafted without it inflates the byte count
    (openai/parameter-golf issue #897).
    """
    tokenizer = spm.SentencePieceProcessor()
    try:
        tokenizer.LoadFromSerializedProto(path.read_bytes())
    except (OSError, RuntimeError):
        found = "other content" if path.is_file() else "no file"
        raise InputError(f"{path}: expected a SentencePiece model, found {found}; TOKENIZER_PATH names it") from None
    if len(tokenizer) != vocab_size:
        raise InputError(
            f"{path}: expected model.vocab_size = {vocab_size} pieces, found {len(tokenizer)}; TOKENIZER_PATH names it"
        )
    if not byte_tables(tokenizer).space[tokenizer.piece_to_id(WORD_MARKER)]:
        raise InputError(f"{path}: expected the bare word marker U+2581 as a token, found none; bytes would be wrong")
    return tokenizer


def is_textless(tokenizer: spm.SentencePieceProcessor, token: int) -> bool:
    """Control, unknown and unused pieces stand for no text."""
    return tokenizer.is_control(token) or tokenizer.is_unknown(token) or tokenizer.is_unused(token)


def byte_tables(tokenizer: spm.SentencePieceProcessor) -> ByteTables:
    """Tables over the vocabulary, by id."""
    size = len(tokenizer)
    tables = ByteTables(np.zeros(size, np.int64), np.zeros(size, bool), np.ones(size, bool))
    for token in range(size):
        if is_textless(tokenizer, token):
            continue
        tables.boundary[token] = False
        piece = tokenizer.id_to_piece(token)
        tables.space[token] = piece.startswith(WORD_MARKER)
        tables.base[token] = 1 if tokenizer.is_byte(token) else len(piece.removeprefix(WORD_MARKER).encode())
    return tables


def count_target_bytes(tables: ByteTables, tokens: np.ndarray) -> np.ndarray:
    """Bytes of each target tokens[1:] after its predecessor, int64[N-1], for tokens uint16[N]."""
    return tables.base[tokens[1:]] + (tables.space[tokens[1:]] & ~tables.boundary[tokens[:-1]])


def token_strings(tokenizer: spm.SentencePieceProcessor) -> list[bytes]:
    """Bytes of each piece: a word marker is 0x20, a byte-fallback piece its byte, a piece without text is empty."""
    strings = []
    for token in range(len(tokenizer)):
        piece = "" if is_textless(tokenizer, token) else tokenizer.id_to_piece(token)
        if tokenizer.is_byte(token):
            strings.append(bytes([int(piece[1:-1], 16)]))  # such as <0x0A>
        else:
            strings.append(piece.replace(WORD_MARKER, " ").encode())
    return strings


# ---------------------------------------------------- setup.inputs ----------------------------------------------------
# What a run reads, checked before it starts: tokenizer, validation stream, the list of training shards.


@dataclass(frozen=True)
class Inputs:
    """The same on all ranks."""

    tokenizer: spm.SentencePieceProcessor
    tokens: Tensor  # int64[N], the validation stream
    target_bytes: np.ndarray  # int64[N-1], bytes of tokens[1:]
    train_paths: list[Path]  # none for a run that only evaluates, which must not need them


def read_inputs(env: Environment, ranks: Ranks) -> Inputs:
    """Read and check; `InputError` for a missing or foreign file, and where the ranks cannot share a batch."""
    tokenizer = load_tokenizer(env.tokenizer_path, 1024)
    tokens = read_tokens(find_shards(env.data_path, "val"), 1024)
    train_paths = []
    if not env.eval_only:
        train_paths = find_shards(env.data_path, "train")
        for path in train_paths:
            read_shard(path)
        if 2 % ranks.world_size:
            raise InputError(
                f"number of ranks: expected a divisor of train.micro_batches = 2, found {ranks.world_size}; start another --nproc_per_node"
            )
    target_bytes = count_target_bytes(byte_tables(tokenizer), tokens)
    return Inputs(tokenizer, torch.from_numpy(tokens.astype(np.int64)), target_bytes, train_paths)


# ------------------------------------------------- mixing.ppm_engine --------------------------------------------------
# C source of `ppm_trie`: contexts of the text so far, and the mixing of what they know with the network's own odds.
#
# What contexts know depends on the text alone, so that each runs in a thread of its own, beside the network and beside
# the mixing. Bit histories in lines of the cache and gated logistic mixing are the PAQ family's (Mahoney, "Adaptive
# Weighing of Context Models", 2005).


ENGINE = r"""
#include <math.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;
typedef float floats __attribute__((vector_size(64)));
typedef int ints __attribute__((vector_size(64)));
typedef union { // lanes: each context's, behind them the match's, and the network's as the last
    float x[16];
    u32 n[16];
    floats f;
    ints i;
} Lanes;

// Where it says KEEP, something is about to change; who wants to take steps back (toolkit/probe) makes code of it.
#define CLOSED -1
#define SETS 7    // of weights
#define LEAST 12  // bytes that a match begins with
#define AHEAD 16  // units that are fetched ahead; they may lie behind the last

typedef struct {
    // The vocabulary, as in trie.py.
    const i64 *begins;
    const int *nodes;
    const u8 *outcomes;
    const int *depths, *partials;
    const u8 *bytes;
    const i64 *offsets;
    // Contexts: which of the last eight bytes and which of the parts each goes by.
    const u64 *masks; // [contexts][2]
    i64 contexts, bits;
    i64 rate; // of learning, in billionths
    u16 *tables; // [contexts][2^bits][16]
    u32 *lasts;  // [2^22]: where the text went on after the same eight bytes, by their hash
    u8 *text; // so far
    i64 length;
    u64 recent;   // its last eight bytes
    u64 parts[8]; // hashes of: this token, the three tokens before; this word, the three words before
    // The match: where in the text the next byte is expected (0 for nowhere), and how many have come true.
    i64 pointer, run;
} Model;

// Decisions of some tokens. A unit is a byte of a token or its end, as far as anything is to be decided there.
typedef struct {
    i64 decisions, capacity;
    u32 *nodes;     // [decisions] 4 * trie node + 2 at the end of a token + the outcome
    int *places;    // [decisions] 32 * unit + slot, or CLOSED
    u64 *tails;     // [units] the seven bytes before, and this one
    i64 *matches;   // [units] where the match expects it, times 64, plus how well it has done
    u64 *hashes;    // [units][contexts]
    u8 *states;     // [contexts + 1][capacity]
} Chunk;

// What a mixer has learned, 0 at first.
typedef struct {
    floats weights[SETS][1 << 16];
    int maps[16][256]; // by lane and state: probability of outcome 1 less a half in 22 bits, times it was met in 10
} Mixer;

static u64 hash(u64 x)
{
    x *= 0x9E3779B97F4A7C15; // 2^64 over the golden ratio
    return x ^ x >> 32;
}

// Opens a new part: what was open becomes the last one, and so on.
static void shift(u64 *parts)
{
    parts[3] = parts[2];
    parts[2] = parts[1];
    parts[1] = *parts;
    *parts = 0;
}

static void append(Model *m, u8 byte)
{
    u64 *word = m->parts + 4;
    m->text[m->length++] = byte;
    m->recent = m->recent << 8 | byte;
    *m->parts = hash(*m->parts + byte + 1);
    if (byte > 127 || (byte | 32) - 97u < 26)
        *word = hash(*word + (byte | 32));
    else if (*word)
        shift(word);

    u32 *last = m->lasts + (hash(m->recent) >> 42);
    m->run++;
    if (!m->pointer || m->text[m->pointer++] != byte) {
        m->run = m->pointer = 0;
        while (m->run < LEAST && m->run < *last && m->text[*last - m->run - 1] == m->text[m->length - m->run - 1])
            m->run++;
        if (m->run == LEAST)
            m->pointer = *last;
    }
    // KEEP(*last);
    *last = m->length;
}

// Lists the decisions of n tokens and hashes the contexts in which they are made.
void walk(Model *m, Chunk *c, const i64 *tokens, i64 n)
{
    i64 d = 0, u = 0;
    for (i64 i = 0; i < n; i++) {
        i64 token = tokens[i], end = m->begins[token + 1];
        const u8 *bytes = m->bytes + m->offsets[token];
        int length = m->offsets[token + 1] - m->offsets[token], known = 0, depth = -1;
        for (i64 k = m->begins[token]; k < end; k++, d++) {
            int node = m->nodes[k], bits = m->partials[node];
            c->nodes[d] = node * 4 + (k + 1 == end) * 2 + m->outcomes[k];
            c->places[d] = CLOSED;
            for (; known < m->depths[node]; known++)
                append(m, bytes[known]);
            if (bits == CLOSED)
                continue;
            if (depth != known) {
                depth = known;
                c->tails[u] = m->recent << 8 | bytes[known];
                c->matches[u] = m->pointer * 64 + (m->run < 252 ? m->run / 4 : 63);
                for (i64 j = 0; j < m->contexts; j++) {
                    u64 x = hash((m->recent & m->masks[2 * j]) + known * 97 + j);
                    for (int part = 0; part < 8; part++)
                        if (m->masks[2 * j + 1] >> part & 1)
                            x = hash(x + m->parts[part]);
                    c->hashes[u * m->contexts + j] = x;
                }
                u++;
            }
            int low = bits > 15 ? 27 - __builtin_clz(bits) : 0; // known bits of the lower half
            c->places[d] = u - 1 << 5 | (bits > 15 ? 16 | 1 << low | bits & (1 << low) - 1 : bits);
        }
        for (; known < length; known++)
            append(m, bytes[known]);
        if (!length)
            append(m, 0);
        shift(m->parts);
    }
    c->decisions = d;
}

// The lines of a unit in a table, one for each half of its byte, and the checks of their slots.
static void locate(Model *m, Chunk *c, i64 context, i64 unit, u16 **lines, u16 *checks)
{
    u64 x = c->hashes[unit * m->contexts + context];
    for (int half = 0; half < 2; half++) {
        lines[half] = m->tables + ((context << m->bits) + (x >> 64 - m->bits)) * 16;
        checks[half] = x << 8;
        __builtin_prefetch(lines[half]);
        x = hash(x + (c->tails[unit] >> 4 & 15));
    }
}

// The state of one context at each decision, before it sees this one: how often outcomes 0 and 1 came, 4 bits each,
// where the other one fades. A slot holds it below a check of 8 bits. After the last context comes the match, whose
// state is how long it has been right and the outcome expected, or 0 for none.
void look(Model *m, Chunk *c, i64 context)
{
    u16 *lines[2], checks[2];
    u8 next[2][256];
    int unit = -1;
    for (int i = 0; i < 512; i++) {
        int outcome = i >> 8, n[] = {i >> 4 & 15, i & 15};
        n[outcome] += n[outcome] < 15;
        n[!outcome] = "\0\1\2\2\3\3\4\4\4\5\5\5\6\6\6\7"[n[!outcome]];
        next[outcome][i & 255] = n[0] << 4 | n[1];
    }
    for (i64 d = 0; d < c->decisions; d++) {
        int place = c->places[d], half = place >> 4 & 1, outcome = c->nodes[d] & 1, before = unit;
        u8 *state = c->states + context * c->capacity + d;
        if (place == CLOSED)
            continue;
        unit = place >> 5;
        if (context == m->contexts) {
            int bits = m->partials[c->nodes[d] >> 2], rest = __builtin_clz(bits | 1) - 23;
            i64 match = c->matches[unit], byte = m->text[match >> 6] | 256;
            *state = match > 63 && byte >> rest == bits ? match * 4 | 2 | byte >> rest - 1 & 1 : 0;
            continue;
        }
        if (unit != before) {
            locate(m, c, context, unit + AHEAD, lines, checks);
            locate(m, c, context, unit, lines, checks);
        }
        u16 *slot = lines[half] + (place & 15);
        *state = (*slot ^ checks[half]) >> 8 ? 0 : *slot;
        // KEEP(*slot);
        *slot = checks[half] | next[outcome][*state];
    }
}

static float clip(float x) { return x > 20 ? 20 : x < -20 ? -20 : x; }

// Nats of the tokens of a chunk, given the network's log-odds of outcome 1 in all its decisions.
void mix(Model *m, Chunk *c, Mixer *mixer, const float *log_odds, double *nats)
{
    Lanes input = {0}, entries = {0};
    float stretch[4096];
    for (int i = 0; i < 4096; i++)
        stretch[i] = logf((i + .5f) / (4095.5f - i));
    for (i64 d = 0; d < c->decisions; d++) {
        u32 node = c->nodes[d] >> 2, outcome = c->nodes[d] & 1, state[16] = {0}, seen = 0;
        int place = c->places[d], bits = m->partials[node];
        float z = clip(log_odds[d]), less = 1 / (1 + expf(fabsf(z)));
        if (place != CLOSED) {
            for (int i = 0; i <= m->contexts; i++) {
                state[i] = c->states[i * c->capacity + d];
                seen |= (state[i] > 0) << i;
                entries.n[i] = mixer->maps[i][state[i]];
                input.x[i] = stretch[entries.n[i] >> 20 ^ 2048];
            }
            input.x[15] = z;
            u64 tail = c->tails[place >> 5];
            u32 keys[] = {node, seen, tail >> 8, tail >> 16, tail & 65280 | bits, *state, 0};
            floats *weights[SETS], all = {0};
            for (int i = 0; i < SETS; i++) {
                weights[i] = mixer->weights[i] + (keys[i] & 65535);
                all += *weights[i];
            }
            Lanes sum = {.f = all * input.f};
            for (int k = 8; k; k /= 2)
                for (int i = 0; i < k; i++)
                    sum.x[i] += sum.x[i + k];
            z = clip(z + *sum.x);
            less = 1 / (1 + expf(fabsf(z)));
            float step = m->rate * 1e-9f * (outcome - (z > 0 ? 1 - less : less));
            for (int i = 0; i < SETS; i++) {
                // KEEP(*weights[i]);
                *weights[i] += input.f * step;
            }
            ints count = entries.i & 1023;
            floats p = (__builtin_convertvector(entries.i >> 10, floats) + .5f) / 4194304;
            p += (outcome - .5f - p) / (__builtin_convertvector(count, floats) + 1.5f);
            entries.i = __builtin_convertvector(p * 4194304, ints) << 10 | (count - (count < 255));
            for (int i = 0; i < 16; i++) {
                // KEEP(mixer->maps[i][state[i]]);
                mixer->maps[i][state[i]] = entries.n[i];
            }
        }
        *nats -= log(outcome == z > 0 ? 1. - less : less);
        nats += c->nodes[d] >> 1 & 1;
    }
}
"""


# ---------------------------------------------------- mixing.trie -----------------------------------------------------
# The vocabulary as a tree of binary decisions, and a network's own probability of each.
#
# Sort the tokens by their bytes: every byte prefix, and every bit prefix inside the next byte, is then an interval. A
# token is a path from the whole vocabulary down to itself: at a prefix that is itself a token "stop here or go on", then
# the bits of the next byte, most significant first, wherever both values occur. Tokens with equal bytes (a byte-fallback
# piece and a one-character piece; control tokens, which have none) end their path with decisions among themselves. The
# probabilities along a path multiply to the token's own, and whatever may replace the probability of a decision, the
# products still sum to one over the vocabulary.


CLOSED = -1  # `partials` of a decision that is left to the network
CHUNK_MASSES = 524288  # probabilities at a time: what the caches of CPU cores hold
CHUNK_MASSES_CUDA = 1 << 24
SMALLEST_MASS = 1e-30  # of the largest token's; running sums resolve less, and logarithms stay finite
PIECE_DECISIONS = 1 << 24  # stretches that are summed over ranks at a time


class Trie:
    """Decisions of a vocabulary, numbered from the root down; V tokens make V - 1. Outcome 1 is "go on" or a set bit.

    A decision is closed where text cannot help: tokens without bytes against all others, and tokens with equal bytes
    among themselves. The network alone makes these; all others are open to a mixer.
    """

    def __init__(self, strings: list[bytes], device: torch.device) -> None:
        self.strings = strings  # by token
        self.device = device
        order = sorted(range(len(strings)), key=strings.__getitem__)
        rows: list[list[int]] = []
        paths: list[list[tuple[int, bool]]] = [[] for _ in order]  # by token
        undecided = [(0, len(order), 0)]  # intervals of sorted tokens whose first so many bytes agree
        while undecided:
            low, high, depth = undecided.pop()
            if high - low > 1:
                middle, *known = split_tokens([strings[token] for token in order[low:high]], depth)
                middle += low
                for i in range(low, high):
                    paths[order[i]].append((len(rows), i >= middle))
                rows.append([low, middle, high, *known])
                undecided += [(middle, high, known[0]), (low, middle, known[0])]
        # int64[3, V - 1]: outcome 0 leads to the sorted tokens low to middle, outcome 1 to middle to high.
        table = np.array(rows).reshape(-1, 5).T
        self.bounds = torch.tensor(table[:3], device=device)
        # Bytes known before a decision; 1 and known bits of the next byte, or 0 for stop or go on, or CLOSED.
        self.depths, self.partials = table[3:].astype(np.int32, order="C")
        # Token t's path is `nodes` int32[P] and `outcomes` uint8[P] from begins[t] to begins[t + 1].
        self.begins = np.cumsum([0, *map(len, paths)])
        steps = np.array([step for path in paths for step in path]).reshape(-1, 2).T
        self.nodes, self.outcomes = steps[0].astype(np.int32), steps[1].astype(np.uint8)
        self.order = torch.tensor(order, device=device)  # int64[V], sorted tokens
        # Kept from chunk to chunk: pages of fresh memory would cost more than the sums.
        self.chunk_rows = max(1, (CHUNK_MASSES_CUDA if device.type == "cuda" else CHUNK_MASSES) // len(order))
        self.masses = torch.empty((self.chunk_rows, len(order)), device=device)
        self.sorted_masses = torch.empty_like(self.masses)
        self.sums = torch.zeros((self.chunk_rows, len(order) + 1), dtype=torch.float64, device=device)

    def path(self, token: int) -> slice:
        """Where a token's path lies in `nodes` and `outcomes`."""
        return slice(self.begins[token], self.begins[token + 1])

    def stretches(self, logits: Tensor, rows: Tensor, nodes: Tensor) -> Tensor:
        """The network's log-odds ln(p1 / p0) float32[d] of decisions [d], each in its row of float32 logits [n, V].

        One cumulative softmax over the sorted tokens serves all decisions of a row; n is at most `chunk_rows`.
        """
        masses, sorted_masses, sums = (space[: len(logits)] for space in (self.masses, self.sorted_masses, self.sums))
        torch.sub(logits, logits.amax(1, keepdim=True), out=masses)
        torch.index_select(masses.exp_(), 1, self.order, out=sorted_masses)
        sums[:, 1:] = sorted_masses
        sums.cumsum_(1)
        begins = rows * sums.size(1)  # in the flat sums
        ends = [sums.flatten().index_select(0, begins + bound.index_select(0, nodes)) for bound in self.bounds]
        # A cumulative sum made in parallel need not rise everywhere.
        mass0, mass1 = (ends[i + 1].sub(ends[i]).clamp_min_(SMALLEST_MASS) for i in (0, 1))
        return mass1.div_(mass0).log_().float()


def split_tokens(texts: list[bytes], depth: int) -> tuple[int, int, int]:
    """The first decision among sorted texts that agree in their first `depth` bytes.

    Returns the index at which outcome 1 begins, the bytes in which all agree, and what else is known (`partials`).
    """
    first, last = texts[0], texts[-1]
    while depth < len(first) and first[depth] == last[depth]:
        depth += 1
    if first == last:
        return len(texts) // 2, depth, CLOSED
    partial, pivot = 0 if depth else CLOSED, first + b"\0"
    if depth < len(first):
        bit = (first[depth] ^ last[depth]).bit_length() - 1  # the highest in which they differ
        partial, pivot = 256 + first[depth] >> bit + 1, first[:depth] + bytes([last[depth] >> bit << bit])
    return bisect_left(texts, pivot), depth, partial


class TrieFeed:
    """The network's `stretches` float32[D] on the CPU, target by target along their paths: all that a mixer needs.

    Collected a batch of rows at a time, in any order. A rank takes memory for what it collects; after
    `gather` rank 0 holds all of them. `starts` int64[n + 1] says where each target's begin.
    """

    def __init__(self, trie: Trie, targets: np.ndarray) -> None:
        self.trie = trie
        lengths = np.diff(trie.begins)
        self.starts = np.concatenate(([0], lengths[targets].cumsum()))
        self.stretches = torch.from_numpy(np.zeros(self.starts[-1], np.float32))  # untouched zeros take no memory
        self.lengths = torch.from_numpy(lengths).to(trie.device)
        self.path_begins = torch.from_numpy(trie.begins).to(trie.device)
        self.nodes = torch.from_numpy(trie.nodes).to(trie.device)

    def add(self, first: int, logits: Tensor, targets: Tensor) -> None:
        """Take in logits [n, V] of the targets first to first + n."""
        for rows, tokens in zip(logits.split(self.trie.chunk_rows), targets.split(self.trie.chunk_rows), strict=True):
            begin, end = self.starts[[first, first + len(tokens)]].tolist()
            lengths = self.lengths[tokens]
            row = torch.arange(len(tokens), device=logits.device).repeat_interleave(lengths, output_size=end - begin)
            shifts = self.path_begins[tokens] - lengths.cumsum(0) + lengths
            nodes = self.nodes[torch.arange(end - begin, device=logits.device) + shifts[row]]
            self.stretches[begin:end] = self.trie.stretches(rows, row, nodes)
            first += len(tokens)

    def tap(self, rows: Iterator[tuple[int, Tensor, Tensor]]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """A scorer's rows, taken in as they pass."""
        for row in rows:
            self.add(*row)
            yield row

    def gather(self, ranks: Ranks) -> None:
        """Bring the shares of all ranks to rank 0, in pieces; where a rank has collected nothing, it has zeros."""
        for piece in self.stretches.split(PIECE_DECISIONS):
            total = ranks.sum_(piece.to(ranks.device, copy=True))
            if ranks.is_main:
                piece.copy_(total)


# -------------------------------------------------- mixing.ppm_trie ---------------------------------------------------
# A context model of the text scored so far, mixed into the network's decisions on the vocabulary's trie.
#
# Every open decision of a token's path gets its probability from the past alone: the network's log-odds enter a logistic
# mixture beside what was seen at the same decision in other contexts. Each decision is charged before anything learns
# from it, so that the charges are a probability distribution over the vocabulary, whatever the mixture makes of them.
#
# The work goes in chunks of tokens: the contexts of one chunk are looked up, in threads, while the chunks before it are
# mixed. Chunk j belongs to mixer j modulo `shards`; contexts are common to all. Results do not depend on threads.


LINE_BYTES = 32  # of a context's table
LASTS_BYTES = 1 << 24
MIXER_BYTES = 1 << 27
TEXT_MARGIN = 64  # bytes before and after the text that may be looked at
AHEAD = 16  # decisions behind the last


def compile_engine() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    """The library that walks and looks, and the one that mixes."""
    return compile_native(ENGINE), compile_native(ENGINE)


def model_fields(trie: Trie, num_tokens: int) -> list[Any]:
    """Of the C struct Model: the vocabulary, the contexts' memory, and room for a text of so many tokens."""
    strings, text_bytes = trie.strings, num_tokens * (1 + max(map(len, trie.strings)))
    return [
        *(trie.begins, trie.nodes, trie.outcomes, trie.depths, trie.partials),
        *(np.array([*b"".join(strings), 0], np.uint8), np.cumsum([0, *map(len, strings)])),
        *(np.array((0, 16, 255, 0, 65535, 0, 16777215, 0, 4294967295, 0, 281474976710655, 0, 18446744073709551615, 0, 0, 48, 0, 80, 0, 112, 255, 16, 0, 15), np.uint64), 12, 18),
        250000,
        *(zeros(24 * LINE_BYTES // 2 << 18), zeros(LASTS_BYTES)),
        *(zeros(text_bytes + 2 * TEXT_MARGIN), TEXT_MARGIN, *[0] * 12),
    ]


def chunk_fields(capacity: int) -> list[Any]:
    """Of the C struct Chunk, for so many decisions."""
    widths = (4, 4, 8, 8, 96, 13)
    return [0, capacity, *(zeros((capacity + AHEAD) * width) for width in widths)]


def look(
    library: ctypes.CDLL,
    model: np.ndarray,
    chunk: np.ndarray,
    tokens: np.ndarray,  # int64[n]
    each: Callable[..., Iterable[None]],  # a `map`
) -> None:
    """Take in tokens: what contexts and the match know of their decisions is then in the chunk."""
    call(library.walk, model, chunk, tokens, len(tokens))
    list(each(lambda context: call(library.look, model, chunk, context), range(model[8] + 1)))


def mix_ppm_trie(
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
    progress: Callable[[np.ndarray], None] | None = None,
) -> Tensor:
    """Nats of the mixture for all targets, float64[n]; `progress` gets those of the first ones again and again."""
    library, mixing = compile_engine()
    firsts = range(0, len(targets), 4096)
    capacity = 4096 * int(np.diff(feed.trie.begins).max())  # what is not needed takes no memory
    fields = model_fields(feed.trie, len(targets))
    chunks = [chunk_fields(capacity) for _ in range(2)]
    mixers = [zeros(MIXER_BYTES) for _ in range(1)]
    model, nats = addresses(fields), np.zeros(len(targets))
    mixed: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        for i, first in enumerate(firsts):
            chunk = addresses(chunks[i % len(chunks)])
            look(library, model, chunk, targets[first : first + 4096], pool.map)
            before = i - 1  # the last chunk of the same mixer; its memory is taken next
            if before >= 0:
                mixed[before].result()
                if progress:
                    progress(nats[: firsts[before + 1]])
            stretches = feed.stretches.numpy()[feed.starts[first] :]
            mixed.append(pool.submit(call, mixing.mix, model, chunk, mixers[i % len(mixers)], stretches, nats[first:]))
        for future in mixed:
            future.result()
    return torch.from_numpy(nats)


# -------------------------------------------------- scoring.sliding ---------------------------------------------------
# The scorer `sliding`: windows that overlap, so that a target has at least `seq_len - stride` tokens before it.


def sliding_rows(model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """`window_rows` at the recipe's stride."""
    return window_rows(model, tokens, ranks, 64)


# ------------------------------------------------------- stages -------------------------------------------------------
# The stages of an evaluation: scorers, mixers on top of them, and their lines in the log.
#
# This is the seam of both, in the order in which stages run. A scorer makes the rows of `score.py`, a mixer new nats of
# what the rows of one scorer say; neither knows another. A scorer's rows are made once, for all stages that need them.


PROGRESS_SECONDS = 5


def prepare_stages() -> None:
    """Compile what the stages need, so that a machine without a compiler is known before the training is paid for."""
    compile_engine()


def run_stages(
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    target_bytes: np.ndarray,  # int64[N-1], the denominator
    tokenizer: spm.SentencePieceProcessor,
    ranks: Ranks,
    log: Log,
) -> None:
    """Run the recipe's stages on a decoded model and log a line for each; the last one is the headline."""
    begin = started = time.perf_counter()

    def report(label: str, nats: Tensor, num_bytes: np.ndarray = target_bytes) -> None:
        nonlocal started
        log(score_line(f"final_int6_{label}", nats, num_bytes, started))
        started = time.perf_counter()

    def mix(scorer: str, label: str, rows: Iterator[tuple[int, Tensor, Tensor]]) -> None:
        """Score, and mix on top; mixers run on rank 0, as one table is enough for a machine's memory."""
        targets = tokens[1:].numpy()
        if f"{scorer}+ppm_trie" in ("roundtrip", "sliding", "sliding+ppm_trie"):
            feed = TrieFeed(Trie(token_strings(tokenizer), ranks.device), targets)
            rows = feed.tap(rows)
        nats = charge(rows, tokens, ranks)
        if scorer in ("roundtrip", "sliding", "sliding+ppm_trie"):
            report(label, nats)
        shown = started

        def progress(mixed: np.ndarray) -> None:
            """Log how far a mixer has come, every few seconds."""
            nonlocal shown
            now = time.perf_counter()
            if now > shown + PROGRESS_SECONDS:
                shown, done = now, target_bytes[: len(mixed)]
                speed = done.sum() / (now - started) / 1e6
                bpb, network_bpb = bits_per_byte(mixed, done), bits_per_byte(nats[: len(mixed)], done)
                log(f"mixed_bytes:{done.sum()} MB/s:{speed:.2f} bpb:{bpb:.4f} network_bpb:{network_bpb:.4f}")

        if f"{scorer}+ppm_trie" in ("roundtrip", "sliding", "sliding+ppm_trie"):
            feed.gather(ranks)
            if ranks.is_main:
                report(
                    "ppm_trie",
                    mix_ppm_trie(targets, feed, progress),
                )

    report("roundtrip", score_blocks(model, tokens, ranks))
    mix("sliding", "sliding_window", sliding_rows(model, tokens, ranks))
    log(f"total_eval_time:{started - begin:.1f}s")


# ---------------------------------------------------- training.ema ----------------------------------------------------
# Exponential moving average of a model's weights: evaluated and quantized in place of the last step's.


class WeightAverage:
    """fp32 average over the state dict, starting from the initial weights; no bias correction."""

    def __init__(self, model: nn.Module) -> None:
        self.live = list(model.state_dict().values())  # they share memory with the model
        self.mean = [tensor.float().clone() for tensor in self.live]

    def update(self) -> None:
        """average = decay * average + (1 - decay) * weights."""
        for average, tensor in zip(self.mean, self.live, strict=True):
            average.lerp_(tensor.float(), 1 - 0.95)

    def apply(self) -> None:
        """Put the average in place of the model's weights."""
        for average, tensor in zip(self.mean, self.live, strict=True):
            tensor.copy_(average)


# ------------------------------------------------- training.progress --------------------------------------------------
# How far training has come: what schedules go by.


@dataclass(frozen=True)
class Progress:
    """The state of training before one of its steps, the same on all ranks."""

    step: int  # steps taken; the number of this one, from 0
    iterations: int  # steps to take at most
    seconds: float  # what the steps so far took
    cap_seconds: float  # what all may take; 0 where there is no clock


# --------------------------------------------------- training.muon ----------------------------------------------------
# Muon (Jordan 2024, kellerjordan.github.io/posts/muon): momentum whose matrices are orthogonalised before use.


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # slope at zero as steep as convergence allows


def zeropower_via_newtonschulz5(G: Tensor, steps: int) -> Tensor:
    """Nearly U V^T of G = U S V^T [R, C]: the singular values come to lie around 1, between 0.68 and 1.14.

    Quintic Newton-Schulz iteration, five steps for singular values down to 0.01 of G's norm. bf16 on CUDA, else fp32.
    """
    a, b, c = NEWTON_SCHULZ
    X = G.bfloat16() if G.is_cuda else G.float()
    X = X / (X.norm() + 1e-7)
    if G.size(0) > G.size(1):
        X = X.T
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.size(0) > G.size(1) else X


class Muon(torch.optim.Optimizer):
    """Muon for matrices [R, C], with Nesterov momentum and decoupled weight decay, on one rank or many.

    Parameter i belongs to rank i mod world_size, which keeps its momentum and orthogonalises its update; the updates of
    all ranks are then summed in one flat buffer, to which each contributes zeros for what is not its own. Gradients
    must have been averaged over the ranks before.
    """

    def __init__(self, params: list[Tensor], ranks: Ranks) -> None:
        super().__init__(
            params,
            {
                "lr": 0.02,
                "momentum": 0.95,
                "weight_decay": 0.0,
            },
        )
        self.ranks = ranks

    def direction(self, param: Tensor, momentum: float) -> Tensor:
        """Orthogonalised Nesterov update; its scale makes updates of tall matrices as large as those of square ones."""
        if param not in self.state:
            self.state[param] = torch.zeros_like(param)
        buffer = self.state[param]
        buffer.mul_(momentum).add_(param.grad)
        g = param.grad + momentum * buffer
        g = g / g.norm(dim=1, keepdim=True).clamp_min(1e-7)  # MuonEq-R (#1217)
        g = zeropower_via_newtonschulz5(g, 5)
        return g * max(1, g.size(0) / g.size(1)) ** 0.5

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            updates = []
            for i, param in enumerate(group["params"]):
                if i % self.ranks.world_size == self.ranks.rank:
                    updates.append(self.direction(param, group["momentum"]))
                else:
                    updates.append(torch.zeros_like(param, dtype=torch.bfloat16 if param.is_cuda else torch.float32))
            self.ranks.sum_all_(updates)
            for param, update in zip(group["params"], updates, strict=True):
                param.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])


# ------------------------------------------------- training.warmdown --------------------------------------------------
# What is left of the warm-down of learning rates: above 1 before it begins, 0 where training ends.


def left_of_fraction(progress: Progress) -> float:
    """The warm-down takes `warmdown_fraction` of training (#1218): of the clock or, without one, of the steps."""
    done = progress.seconds / progress.cap_seconds if progress.cap_seconds else progress.step / progress.iterations
    return (1 - done) / 0.6


# ------------------------------------------------- training.schedule --------------------------------------------------
# What changes over training: the learning rates' common factor and Muon's momentum. There is no warm-up of rates.


def learning_rate_scale(progress: Progress) -> float:
    """Factor of all learning rates: 1, then falling linearly to `min_lr` at the end of training."""
    return max(min(left_of_warmdown(progress), 1.0), 0.0)


def left_of_warmdown(progress: Progress) -> float:
    """By the recipe's kind of warm-down; a recipe without one has all of it left."""
    return left_of_fraction(progress)


def muon_momentum(step: int) -> float:
    """Momentum of the step numbered from 0: raised linearly over the first `muon_momentum_warmup_steps`."""
    share = min(step / 100, 1.0)
    return (1 - share) * 0.85 + share * 0.95


# ------------------------------------------------- training.optimizer -------------------------------------------------
# Which optimizer trains which parameter: Muon the linear maps, AdamW tables, gains and scales.


def make_optimizers(model: GPT, ranks: Ranks) -> list[torch.optim.Optimizer]:
    """Muon and AdamW in their initial states; `set_rates` schedules them."""
    groups: dict[str, list[Tensor]] = {"embed": [], "matrix": [], "scalar": []}
    for name, param in model.named_parameters():
        groups[parameter_kind(name)].append(param)
    adamw = torch.optim.AdamW(
        [
            {
                "params": groups["embed"],
                "lr": 0.03,
                "weight_decay": 0.0,
            },
            {
                "params": groups["scalar"],
                "lr": 0.02,
                "weight_decay": 0.0,
            },
        ],
        betas=(0.9, 0.95),
        eps=1e-08,
        fused=ranks.device.type == "cuda",
    )
    return [Muon(groups["matrix"], ranks), adamw]


def set_rates(optimizers: list[torch.optim.Optimizer], step: int, scale: float) -> None:
    """Learning rates of `scale` times the recipe's, and Muon's momentum, for the step numbered from 0."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = scale * group.setdefault("base_lr", group["lr"])
            group["momentum"] = muon_momentum(step)  # AdamW has none and does not look


# -------------------------------------------------- training.trainer --------------------------------------------------
# What training works on and with, and one step of it.


class Trainer:
    """One rank's part in training `model` in place.

    SIGTERM ends training as the clock would. All ranks decide alike: the time is rank 0's, and a signal to one rank
    counts for all. A part of the recipe that keeps something from one phase to the next declares it here and sets it
    itself: where it is off, nothing of it is left.
    """

    average: WeightAverage

    def __init__(self, model: GPT, inputs: Inputs, env: Environment, ranks: Ranks, log: Log) -> None:
        self.model = model
        self.params = list(model.parameters())
        self.inputs = inputs
        self.env = env
        self.ranks = ranks
        self.log = log
        self.terminated = False
        signal.signal(signal.SIGTERM, self.terminate)
        self.restart()

    def terminate(self, *_: object) -> None:
        self.terminated = True

    def restart(self) -> None:
        """Optimizers without a past, the training stream from its beginning and the clock from 0."""
        self.optimizers = make_optimizers(self.model, self.ranks)
        self.loader = make_loader(
            self.inputs.train_paths, self.ranks.rank, self.ranks.world_size, self.env.seed
        )
        self.clock = TrainingClock(self.ranks.device)

    def step(self, number: int) -> float:
        """One optimizer step on the global batch; its mean loss in nats, the same on all ranks.

        `number` counts steps from 1. The learning rates are those that the optimizers have.
        """
        total = torch.zeros((), device=self.ranks.device)
        for _ in range(2 // self.ranks.world_size):
            x, y = self.loader.next_batch()
            loss = self.model(x.to(self.ranks.device), y.to(self.ranks.device)) / 2
            loss.backward()
            total += loss.detach()
        self.ranks.sum_all_([total, *(param.grad for param in self.params if param.grad is not None)])
        train_loss = total.item()
        if not math.isfinite(train_loss):
            raise InputError(
                f"step {number}: expected a finite training loss, found {train_loss}; lower the learning rates"
            )
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        return train_loss

    def agree(self) -> tuple[float, bool]:
        """Rank 0's clock in seconds, and whether any rank has been told to end; the same on all ranks."""
        mine = [self.clock.read() * self.ranks.is_main, float(self.terminated)]
        state = torch.tensor(mine, dtype=torch.float64, device=self.ranks.device)
        seconds, terminated = self.ranks.sum_(state).tolist()
        return seconds, terminated > 0


# ------------------------------------------------- training.averages --------------------------------------------------
# Averages of the weights, evaluated and quantized in place of the last step's; a recipe has one at most.


def start_average(trainer: Trainer) -> None:
    """Before the first step."""
    trainer.average = WeightAverage(trainer.model)


def update_average(trainer: Trainer) -> None:
    """After a step at this factor of the learning rates."""
    trainer.average.update()


def apply_average(trainer: Trainer) -> None:
    """After the last step: the average takes the place of the model's weights."""
    trainer.log("ema:applying EMA weights")
    trainer.average.apply()


# -------------------------------------------------- training.phases ---------------------------------------------------
# What the parts of a recipe do around the steps of training, in a fixed order.
#
# A part has a line in each phase that concerns it, and decides by its own settings whether there is something to do.
# `train.py` calls the phases on all ranks alike; what they take counts for the clock.


def prime(trainer: Trainer, step: int) -> None:
    """Before each step of the warm-up, numbered from 0."""
    set_rates(trainer.optimizers, step, 1.0)


def before_training(trainer: Trainer) -> None:
    """After the warm-up, when weights, optimizers and loader are as the seed has them."""
    start_average(trainer)


def before_step(trainer: Trainer, progress: Progress, scale: float) -> None:
    """Before each step; `scale` is the factor of all learning rates."""
    set_rates(trainer.optimizers, progress.step, scale)


def after_step(trainer: Trainer) -> None:
    """After each step, with the `progress` and `scale` of `before_step`."""
    update_average(trainer)


def after_training(trainer: Trainer) -> None:
    """After the last step, before what the quantizer needs is collected."""
    apply_average(trainer)


# --------------------------------------------------- training.train ---------------------------------------------------
# Training: warm-up, steps under the clock, then averaged weights inside the same clock.


def train(trainer: Trainer) -> None:
    """Warm up, train and average. The clock then goes on, for calibration on the averaged weights counts as well."""
    cap_seconds = 0.0
    if trainer.env.max_wallclock_seconds:
        cap_seconds = trainer.env.max_wallclock_seconds - 3.0
        trainer.log(f"gptq:reserving 3s, effective={1000 * cap_seconds:.0f}ms")
    warm_up(trainer)
    run_steps(trainer, cap_seconds)
    trainer.log(peak_memory(trainer.ranks.device))
    after_training(trainer)


def warm_up(trainer: Trainer) -> None:
    """Steps that compile and prime, untimed; weights, optimizers, loader and clock then start afresh."""
    initial = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    for step in range(2):
        prime(trainer, step)
        trainer.step(step + 1)
        trainer.log(f"warmup_step: {step + 1}/2")
    trainer.model.load_state_dict(initial)
    trainer.restart()


def run_steps(trainer: Trainer, cap_seconds: float) -> None:
    """Train until `iterations`, SIGTERM or the clock: no step is begun that would, by their mean, end past it."""
    before_training(trainer)
    iterations = trainer.env.iterations
    seconds = 0.0
    for step in range(1, iterations + 1):
        progress = Progress(step - 1, iterations, seconds, cap_seconds)
        scale = learning_rate_scale(progress)
        before_step(trainer, progress, scale)
        train_loss = trainer.step(step)
        after_step(trainer)
        seconds, terminated = trainer.agree()
        if step <= 5 or step % 50 == 0 or step == iterations:
            trainer.log(
                f"{step}/{iterations} train_loss: {train_loss:.8f} train_time: {seconds / 60:.1f}m tok/s: {step * 2048 / seconds:.0f}"
            )
        out_of_time = cap_seconds and seconds * (step + 1) > cap_seconds * step
        if step < iterations and (terminated or out_of_time):
            reason = "sigterm" if terminated else "wallclock_cap"
            trainer.log(f"stopping_early: {reason} train_time: {1000 * seconds:.0f}ms step: {step}/{iterations}")
            return


# -------------------------------------------------------- main --------------------------------------------------------
# The whole run: check the inputs and the compiler, train, write the artifact, then score what the file holds.


def main(script_path: str) -> None:
    """Run under the environment of `environment.py`, alone or as one of torchrun's ranks.

    `script_path` is the file whose bytes count as code. Bad input ends with one line on standard error and exit code 1.
    """
    ranks = open_ranks()
    try:
        env = read_environment()
        inputs = read_inputs(env, ranks)
        prepare_stages()
        log = Log(env.log_path, ranks.is_main)
        code = Path(script_path).read_bytes()
        digest = hashlib.sha256(code).hexdigest()
        log_settings(env, ranks, digest, log)
        log_inputs(inputs, log)
        if not env.eval_only:
            train_artifact(inputs, env, ranks, len(code), log)
        blob = read_artifact(env.artifact_path)
        log(f"Code size: {len(code)} bytes")
        log(f"Serialized model int6+brotli: {len(blob)} bytes")
        log(f"Total submission size int6+brotli: {len(code) + len(blob)} bytes")
        log(f"bundle_sha256: {digest}")
        model = model_on(ranks.device)
        model.load_state_dict(dequantize_weights(decode_artifact(blob)))
        run_stages(model, inputs.tokens, inputs.target_bytes, inputs.tokenizer, ranks, log)
    except InputError as error:
        if ranks.device.type == "cpu":  # NCCL would wait for ranks that know nothing of this
            close_ranks(ranks)
        sys.exit(f"error: {error}")
    close_ranks(ranks)


def train_artifact(inputs: Inputs, env: Environment, ranks: Ranks, code_bytes: int, log: Log) -> None:
    """Train from the seed and write the artifact; returns on all ranks when it is there to be read."""
    torch.manual_seed(env.seed)
    model = model_on(ranks.device)
    log(f"model_params:{sum(param.numel() for param in model.parameters())}")
    trainer = Trainer(model, inputs, env, ranks, log)
    train(trainer)
    stats = collect(model, trainer.loader, ranks, trainer.clock, log)
    log(f"train_time_with_calibration: {1000 * trainer.clock.read():.0f}ms")
    started = time.perf_counter()
    nats = score_blocks(model, inputs.tokens, ranks)
    log(score_line("pre-quantization post-ema", nats, inputs.target_bytes, started))
    if ranks.is_main:
        quantized = quantize_model(model.state_dict(), stats, log)
        blob = encode_artifact(quantized)
        log(f"Serialized model: {sum(4 * param.numel() for param in model.parameters())} bytes")
        for line in share_lines(byte_shares(quantized, len(blob))):
            log(line)
        write_artifact(env.artifact_path, blob)
    ranks.barrier()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_artifact(path: Path, blob: bytes) -> None:
    """All of it or nothing, in place of what was there."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(blob)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise unwritable(path, error) from None


def read_artifact(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected an artifact, found: {error.strerror}; ARTIFACT_PATH names it") from None


def log_settings(env: Environment, ranks: Ranks, digest: str, log: Log) -> None:
    """The competition's block of settings, one a line and sorted, and the machine."""
    log("Hyperparameters:")
    settings = (
        *("recipe: demo", "title: Demo", "track: non-record-16mb", "vocab_size: 1024", "num_layers: 3", "model_dim: 128", "num_heads: 4", "num_kv_heads: 2", "mlp_mult: 3", "activation: leaky_relu2", "rope_dims: 16", "rope_base: 10000.0", "qk_gain: 4.0", "logit_softcap: 30.0", "embed_init_std: 0.005", "orthogonal_init: True", "skip_gates: True", "ln_scale: True", "xsa_layers: 3", "dataset: demo_sp1024", "tokenizer: demo_1024_bpe.model", "loader: coprime", "matrix_lr: 0.02", "embed_lr: 0.03", "scalar_lr: 0.02", "muon_momentum: 0.95", "muon_momentum_start: 0.85", "muon_momentum_warmup_steps: 100", "muon_row_normalize: True", "newton_schulz_steps: 5", "beta1: 0.9", "beta2: 0.95", "adam_eps: 1e-08", "grad_clip_norm: 1.0", "ema_decay: 0.95", "train_batch_tokens: 2048", "train_seq_len: 128", "micro_batches: 2", "warmup_steps: 2", "warmdown_fraction: 0.6", "log_every: 50", "method: gptq", "matrix_clip_sigmas: 6.0", "embed_clip_sigmas: 8.0", "calibration_batches: 32", "passthrough_max_numel: 4096", "reserve_seconds: 3.0", "stages: ['roundtrip', 'sliding', 'sliding+ppm_trie']", "stride: 64", "batch_windows: 32", "ppm_trie_engine: logistic", "ppm_trie_contexts: ['word', 'o1', 'o2', 'o3', 'o4', 'o6', 'o8', 'word+word1', 'word+word2', 'word+word1+word2', 'o1+word', 'token+token1+token2+token3']", "ppm_trie_table_bits: 18", "ppm_trie_learning_rate: 0.00025", "ppm_trie_shards: 1", "ppm_trie_chunk_tokens: 4096"),
        *(f"{name}: {value}" for name, value in asdict(env).items()),
        f"bundle_sha256: {digest}",
        f"grad_accum_steps: {2 // ranks.world_size}",
        f"world_size: {ranks.world_size}",
    )
    for setting in sorted(settings):
        log(f"  {setting}")
    log(f"hardware: {hardware_name(ranks.device)}")


def log_inputs(inputs: Inputs, log: Log) -> None:
    if inputs.train_paths:
        log(f"train_shards: {len(inputs.train_paths)}")
    log(f"val_tokens: {len(inputs.tokens)}")
    log(f"val_targets: {len(inputs.target_bytes)}")
    log(f"val_bytes: {inputs.target_bytes.sum()}")


if __name__ == "__main__":
    main(__file__)
