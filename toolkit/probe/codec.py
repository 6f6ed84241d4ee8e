"""A lossless code for text, driven by a recipe's predictor: the definition of a valid score.

A range coder (constriction) narrows an interval by the probability of each choice that leads to a token; who holds the
same predictor can follow from the bytes alone. Encoder and decoder ask the predictor for the same things in the same
order, so that every probability is the same to the last bit as long as machine, packages and number of threads (one)
are the same.

    python -m toolkit.probe.codec encode|decode RECIPE.toml STAGE ARTIFACT TOKENIZER SOURCE TARGET

encode turns a shard into a code file, decode a code file into a shard. A code file is magic, version, number of
targets, the first token (which nothing scores), 8 bytes of a SHA-256 over the rest, and the range coder's words.
Probabilities are rounded to multiples of 2^-24 and never below one of them, so that nothing is impossible or certain: a
choice among n costs n * 2^-24 nats more than it claims at the most, and less where it claims more than 24 bits. The
coder's own rounding adds about 10^-4 bit a choice.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import constriction
import numpy as np
import torch

from toolkit.components.artifact.artifact import decode_artifact
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.model.gpt import GPT
from toolkit.components.text.byte_tables import load_tokenizer, token_strings
from toolkit.components.text.shards import read_tokens
from toolkit.data.shards import write_shard
from toolkit.errors import GolfError
from toolkit.probe.steps.step import Predictor, score_by_steps, stage_predictor
from toolkit.recipe import load_recipe

_MAGIC, _VERSION = b"CODE", 2
_HEAD = "<4sBIH"  # magic, version, number of targets, first token
_CHECKSUM_BYTES = 8


def encode(predictor: Predictor, tokens: list[int]) -> tuple[bytes, float]:
    """The code of tokens, and the nats that the predictor charges for them."""
    encoder = constriction.stream.queue.RangeEncoder()

    def write(probabilities: np.ndarray, outcome: int) -> None:
        encoder.encode(outcome, constriction.stream.model.Categorical(probabilities, perfect=False))

    nats = float(score_by_steps(predictor, tokens, write).sum())
    return encoder.get_compressed().astype("<u4").tobytes(), nats


def decode(predictor: Predictor, code: bytes, count: int) -> list[int]:
    """Inverse of `encode`, by a predictor in the state that it began with."""
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))

    def read(probabilities: np.ndarray, outcomes: np.ndarray) -> int:
        return int(decoder.decode(constriction.stream.model.Categorical(probabilities, perfect=False)))

    return [predictor.step(read) for _ in range(count)]


def pack_code(tokens: list[int], code: bytes) -> bytes:
    """The bytes of a code file; `code` is that of tokens[1:]."""
    head = struct.pack(_HEAD, _MAGIC, _VERSION, len(tokens) - 1, tokens[0])
    return head + _checksum(head + code) + code


def unpack_code(blob: bytes, path: Path) -> tuple[int, int, bytes]:
    """Number of targets, first token and code; `InputError` for a file that is damaged or none of ours."""
    start = struct.calcsize(_HEAD)
    head, checksum, code = blob[:start], blob[start : start + _CHECKSUM_BYTES], blob[start + _CHECKSUM_BYTES :]
    if blob[:5] != struct.pack("<4sB", _MAGIC, _VERSION):
        raise InputError(f"{path}: expected a code file of version {_VERSION}, found {blob[:5]!r}; encode it again")
    if _checksum(head + code) != checksum:
        raise InputError(f"{path}: expected checksum {checksum.hex()}, found another: damaged; encode it again")
    _, _, count, first_token = struct.unpack(_HEAD, head)
    return count, first_token, code


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_BYTES]


def main(action: str, recipe: str, stage: str, artifact: str, tokenizer_path: str, source: str, target: str) -> None:
    """Encode or decode a file; prints an object with what the predictor charged."""
    torch.set_num_threads(1)
    cfg = load_recipe(recipe)
    strings = token_strings(load_tokenizer(Path(tokenizer_path), cfg.model.vocab_size))
    model = GPT(cfg)
    model.load_state_dict(dequantize_weights(cfg, decode_artifact(cfg, Path(artifact).read_bytes())))
    model.eval()
    if action == "encode":
        tokens = read_tokens([Path(source)], cfg.model.vocab_size).tolist()
        code, nats = encode(stage_predictor(cfg, stage, model, strings, tokens[0], len(tokens) - 1), tokens[1:])
        Path(target).write_bytes(pack_code(tokens, code))
        print(json.dumps({"nats": nats}))
    else:
        count, first_token, code = unpack_code(Path(source).read_bytes(), Path(source))
        predictor = stage_predictor(cfg, stage, model, strings, first_token, count)
        tokens = [first_token, *decode(predictor, code, count)]
        write_shard(Path(target), np.array(tokens))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (GolfError, InputError, LookupError) as error:
        sys.exit(f"error: {error}")
