"""The artifact: bit-exact round trips, equal bytes, and no byte of a file that is believed unread."""

import hashlib
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import brotli
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.artifact_fuzz import run as run_mutations
from toolkit.components.artifact.artifact import decode_artifact, encode_artifact, read_payload, write_payload
from toolkit.components.artifact.coders import split_stream
from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_FP32, QuantizedTensor
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize

TINY = Config(
    model=Model(vocab_size=6, model_dim=4, num_heads=1, num_kv_heads=1, num_layers=1, mlp_mult=1),
    quantize=Quantize(passthrough_max_numel=16),
)
HYBRID = replace(TINY, quantize=Quantize(method="hybrid", passthrough_max_numel=0))
ZLIB = replace(TINY, quantize=replace(TINY.quantize, compressor="zlib"))
HEAD_BYTES = 25  # 4 magic, 1 version, 8 recipe, 4 size, 8 checksum


def tiny_tensors(cfg: Config = TINY) -> dict[str, QuantizedTensor]:
    torch.manual_seed(0)
    return quantize_weights(cfg, GPT(cfg).state_dict(), {})


def assert_equal(left: dict[str, QuantizedTensor], right: dict[str, QuantizedTensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        other = right[name]
        assert (tensor.scheme, tensor.shape) == (other.scheme, other.shape)
        for ours, theirs in zip((tensor.values, *tensor.side), (other.values, *other.side), strict=True):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


@pytest.mark.parametrize("cfg", [TINY, ZLIB], ids=["brotli", "zlib"])
def test_what_was_written_is_read_bit_for_bit(cfg: Config) -> None:
    tensors = tiny_tensors(cfg)
    assert {tensor.scheme for tensor in tensors.values()} == {8, SCHEME_FP16, SCHEME_FP32}
    assert_equal(decode_artifact(cfg, encode_artifact(cfg, tensors)), tensors)


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width_of_symbols_makes_the_round_trip(bits: int) -> None:
    cfg = replace(TINY, quantize=Quantize(passthrough_max_numel=0, matrix_bits=bits, embed_bits=bits))
    tensors = tiny_tensors(cfg)
    assert sum(tensor.scheme == bits for tensor in tensors.values()) == 7
    assert_equal(decode_artifact(cfg, encode_artifact(cfg, tensors)), tensors)


@st.composite
def any_tensor(draw: st.DrawFn) -> QuantizedTensor:
    """Any bits a writer can produce: symbols in range, finite numbers of either sign, zeros of both, subnormals."""
    scheme = draw(st.sampled_from([*range(2, 9), SCHEME_FP16, SCHEME_FP32]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if scheme <= 8:
        rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        q_max = 2 ** (scheme - 1) - 1
        values = rng.integers(-q_max, q_max + 1, (rows, columns), dtype=np.int8)
        return QuantizedTensor(scheme, values, (rng.integers(1, 0x7C00, rows, dtype=np.uint16).view(np.float16),))
    shape = draw(st.lists(st.integers(1, 4), max_size=3))
    bits = rng.integers(0, 256, (*shape, scheme // 8), dtype=np.uint8)
    values = bits.view(f"<f{scheme // 8}").reshape(shape)
    return QuantizedTensor(scheme, np.where(np.isfinite(values), values, 0).astype(values.dtype))


@given(
    tensors=st.dictionaries(st.from_regex(r"[a-z.0-9_]{1,20}", fullmatch=True), any_tensor(), min_size=1, max_size=6)
)
@settings(deadline=None)
def test_any_set_of_tensors_makes_the_round_trip(tensors: dict[str, QuantizedTensor]) -> None:
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert_equal(read_payload(TINY, write_payload(tensors), b"", shapes), dict(sorted(tensors.items())))


def test_order_of_the_tensors_does_not_matter() -> None:
    tensors = tiny_tensors()
    assert encode_artifact(TINY, dict(reversed(tensors.items()))) == encode_artifact(TINY, tensors)


def test_two_processes_write_the_same_bytes() -> None:
    code = "import sys, test_artifact as t; sys.stdout.buffer.write(t.artifacts_of_all_schemes())"
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": path}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert other.stdout == artifacts_of_all_schemes()


def artifacts_of_all_schemes() -> bytes:
    return b"".join(encode_artifact(cfg, tiny_tensors(cfg)) for cfg in (TINY, ZLIB, HYBRID))


def test_gaussian_symbols_take_little_more_than_their_entropy() -> None:
    symbols = np.random.default_rng(0).normal(scale=31 / 12.85, size=(300, 1000)).round().clip(-31, 31).astype(np.int8)
    counts = np.unique(symbols, return_counts=True)[1] / symbols.size
    entropy_bytes = -(counts * np.log2(counts)).sum() * symbols.size / 8
    tensor = QuantizedTensor(6, symbols, (np.ones(300, np.float16),))
    blob = encode_artifact(TINY, {"a": tensor})
    assert 1 < len(blob) / entropy_bytes < 1.02


@pytest.mark.parametrize("cfg", [TINY, ZLIB, HYBRID], ids=["brotli", "zlib", "hybrid"])
def test_every_cut_is_an_error(cfg: Config) -> None:
    blob = encode_artifact(cfg, tiny_tensors(cfg))
    for length in range(len(blob)):
        with pytest.raises(InputError, match=r"^artifact: expected (at least 25 bytes|checksum \w{16}), found .+; "):
            decode_artifact(cfg, blob[:length])


@pytest.mark.parametrize("cfg", [TINY, HYBRID], ids=["brotli", "hybrid"])
def test_every_flipped_bit_is_an_error(cfg: Config) -> None:
    blob = encode_artifact(cfg, tiny_tensors(cfg))
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError, match=r"^artifact: expected (magic|format version|checksum) [^\n]+$"):
            decode_artifact(cfg, bytes(damaged))


def test_trailing_bytes_are_an_error() -> None:
    with pytest.raises(InputError, match=r"expected checksum"):
        decode_artifact(TINY, encode_artifact(TINY, tiny_tensors()) + b"\0")


def test_the_artifact_of_another_recipe_is_refused() -> None:
    blob = encode_artifact(TINY, tiny_tensors())
    other = replace(TINY, model=replace(TINY.model, num_layers=2))
    with pytest.raises(InputError, match=rf"^artifact: expected recipe {other.artifact_id}, found {TINY.artifact_id};"):
        decode_artifact(other, blob)


def forge(
    body: bytes,
    payload_bytes: int,
    cfg: Config = TINY,
    *,
    magic: bytes = b"GOLF",
    version: int = 2,
) -> bytes:
    """A file with a valid checksum, whatever it holds."""
    head = struct.pack("<4sB8sI", magic, version, bytes.fromhex(cfg.artifact_id), payload_bytes)
    return head + hashlib.sha256(head + body).digest()[:8] + body


def refusal(blob: bytes, cfg: Config = TINY) -> str:
    with pytest.raises(InputError) as error:
        decode_artifact(cfg, blob)
    assert "\n" not in str(error.value)
    return str(error.value)


def refusal_of_payload(payload: bytes) -> str:
    return refusal(forge(brotli.compress(payload), len(payload)))


def test_the_documented_layout_is_the_one_written() -> None:
    payload = write_payload(tiny_tensors())
    assert forge(brotli.compress(payload, quality=11, lgwin=24), len(payload)) == encode_artifact(TINY, tiny_tensors())
    assert payload.startswith(b"blocks.0.attn.c_k.weight 16 4 4\nblocks.0.attn.c_q.weight 16 4 4\n")


def test_a_coded_stream_that_is_not_the_tensors_is_refused() -> None:
    blob = encode_artifact(HYBRID, tiny_tensors(HYBRID))
    body, size = blob[HEAD_BYTES:], int.from_bytes(blob[13:17], "little")
    payload, coded = split_stream(body)
    for stream in (b"", coded[:-2], coded[:-1], coded + b"\0\0", bytes(len(coded)), coded[:600] + coded[598:-2]):
        message = refusal(forge(payload + stream + struct.pack("<I", len(stream)), size, HYBRID), HYBRID)
        assert message.startswith("rANS: expected")
    for coded_bytes in (len(body) - 3, 2**32 - 1):
        message = refusal(forge(body[:-4] + struct.pack("<I", coded_bytes), size, HYBRID), HYBRID)
        assert f"a coded stream and its size, found {coded_bytes} bytes in {len(body)}" in message
    assert "a coded stream and its size, found 0 bytes in 3" in refusal(forge(b"abc", size, HYBRID), HYBRID)


def test_reading_takes_less_than_twice_the_memory_of_the_tensors() -> None:
    model = Model(vocab_size=512, model_dim=256, num_layers=2)
    for cfg in (Config(model=model, quantize=Quantize()), Config(model=model, quantize=Quantize(method="hybrid"))):
        tensors = tiny_tensors(cfg)
        blob = encode_artifact(cfg, tensors)
        tracemalloc.start()
        decode_artifact(cfg, blob)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 2 * sum(4 * tensor.values.size for tensor in tensors.values())


def test_foreign_files_and_versions_are_refused() -> None:
    assert "magic b'GOLF', found b'PK\\x03\\x04'" in refusal(forge(b"", 0, magic=b"PK\x03\x04"))
    assert "format version 2, found 1" in refusal(forge(b"", 0, version=1))


def test_sizes_no_model_of_the_recipe_can_have_are_refused_before_anything_is_decoded() -> None:
    assert "bytes of payload, found 4294967295" in refusal(forge(b"not even brotli", 2**32 - 1))


@pytest.mark.parametrize("cfg", [TINY, ZLIB], ids=["brotli", "zlib"])
def test_streams_that_do_not_decompress_to_the_declared_size_are_refused(cfg: Config) -> None:
    blob = encode_artifact(cfg, tiny_tensors(cfg))
    body, size = blob[HEAD_BYTES:], int.from_bytes(blob[13:17], "little")
    assert decode_artifact(cfg, forge(body, size, cfg))
    for forged in ((body, size - 1), (body, size + 1), (body, 0), (body[:-1], size), (body + b"\0", size), (b"", size)):
        assert f"a stream of {forged[1]} bytes, found another" in refusal(forge(*forged, cfg), cfg)


@pytest.mark.parametrize("cfg", [TINY, ZLIB], ids=["brotli", "zlib"])
def test_a_decompression_bomb_is_stopped_at_the_declared_size(cfg: Config) -> None:
    compressor: Any = zlib.compressobj() if cfg is ZLIB else brotli.Compressor(quality=1)
    step = compressor.compress if cfg is ZLIB else compressor.process
    end = compressor.flush if cfg is ZLIB else compressor.finish
    blob = forge(b"".join([*(step(bytes(2**20)) for _ in range(64)), end()]), 1000, cfg)
    tracemalloc.start()
    assert "a stream of 1000 bytes" in refusal(blob, cfg)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**20


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c_k.weight 16 4 4\n", b"c_k.weight 17 4 4\n"),  # no such scheme
        (b"c_k.weight 16 4 4\n", b"c_k.weight 16 4 9223372036854775808\n"),
        (b"c_k.weight 16 4 4\n", b"c_k.weight 16 -4 -4\n"),
        (b"c_k.weight 16 4 4\n", b"c_k.weight 16 16\n"),
        (b"c_k.weight 16 4 4\n", b"c_z.weight 16 4 4\n"),
        (b"c_k.weight 16 4 4\n", b"c_k.weight  16 4 4\n"),
        (b"attn_scale 32 4\n", b"attn_scale 6 4\n"),  # integers need rows
        (b"c_k.weight 16 4 4\n", b"c_k.weight -5 4 4\n"),  # of another quantizer
        (b"attn_scale 32 4\n", b"attn_scale 32 4\nattn_scale 32 4\n"),
        (b"attn_scale 32 4\n", b""),
        (b"attn_scale 32 4\n", b"attn_scale 32 4\n\n"),
        (b"attn_scale 32 4\n", b"attn_scale 32 \xff\n"),
        (b"\n\n", b"\n"),
    ],
)
def test_a_table_that_does_not_describe_the_recipes_model_is_refused(old: bytes, new: bytes) -> None:
    payload = write_payload(tiny_tensors())
    assert payload.count(old) == 1
    message = refusal_of_payload(payload.replace(old, new))
    assert len(message) < 500
    assert "of shape" in message or "tensors, found" in message


def test_a_scheme_that_takes_another_number_of_bytes_is_refused() -> None:
    payload = write_payload(tiny_tensors())
    message = refusal_of_payload(payload.replace(b"c_k.weight 16 4 4\n", b"c_k.weight 32 4 4\n"))
    assert "bytes of numbers, found" in message


@pytest.mark.parametrize("change", [-1, 1])
def test_numbers_missing_or_left_over_are_refused(change: int) -> None:
    payload = write_payload(tiny_tensors())
    assert "bytes of numbers, found" in refusal_of_payload((payload + b"\0")[: len(payload) + change])


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("tok_emb.weight", "values", -128),  # outside of [-127, 127]
        ("tok_emb.weight", "scale", float("nan")),
        ("tok_emb.weight", "scale", float("inf")),
        ("blocks.0.attn.c_k.weight", "values", float("inf")),
        ("blocks.0.attn_scale", "values", float("nan")),
    ],
)
def test_numbers_that_no_writer_produces_are_refused(name: str, field: str, value: float) -> None:
    tensors = tiny_tensors()
    tensor = tensors[name]
    (tensor.values if field == "values" else tensor.side[0]).reshape(-1)[3] = value
    assert f"in {name}, found others" in refusal_of_payload(write_payload(tensors))


def test_symbols_beyond_their_bits_are_refused() -> None:
    cfg = replace(TINY, quantize=replace(TINY.quantize, embed_bits=4))
    tensors = tiny_tensors(cfg)
    tensors["tok_emb.weight"].values[1, 2] = 8
    assert "numbers of scheme 4 in tok_emb.weight" in refusal(encode_artifact(cfg, tensors), cfg)


def test_mutated_files_are_refused_or_give_a_valid_model() -> None:
    """A few of the mutations of `artifact_fuzz.py`, which runs as many as one likes."""
    outcomes = run_mutations(range(200))
    assert outcomes["as it is: refused"] > 40
    assert outcomes["checksum: refused"] > 40
    assert outcomes["payload: refused"] > 40
