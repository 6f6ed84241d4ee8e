"""What the step path predicts can be coded and decoded, at the length that it charges."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train
from toolkit.probe.codec import decode, encode, pack_code, unpack_code
from toolkit.probe.steps.step import Choose, stage_predictor

STRINGS = [b"", b"", *(bytes([byte]) for byte in b" abcde\xc3\xa9"), b" a", b"ab", b"abc", b" de", "é".encode(), b"a"]


@pytest.fixture(scope="module")
def cfg() -> Config:
    model = Model(vocab_size=len(STRINGS), num_layers=2, model_dim=16, num_heads=2, num_kv_heads=1, embed_init_std=0.5)
    return Config(model=model, train=Train(seq_len=8, batch_tokens=8, micro_batches=1), evaluate=Evaluate(stride=3))


@pytest.fixture(scope="module")
def model(cfg: Config) -> GPT:
    torch.manual_seed(0)
    return GPT(cfg)


@pytest.fixture(scope="module")
def tokens() -> list[int]:
    return np.random.default_rng(0).integers(0, len(STRINGS), 200).tolist()


@pytest.mark.parametrize(
    ("stage", "engine"),
    [
        ("roundtrip", "logistic"),
        ("sliding", "logistic"),
        ("sliding+ppm_trie", "logistic"),
        ("roundtrip+ppm_trie", "linear"),
    ],
)
def test_round_trip_at_the_length_that_is_charged(
    cfg: Config, model: GPT, tokens: list[int], stage: str, engine: str
) -> None:
    cfg = replace(cfg, ppm_trie=replace(cfg.ppm_trie, engine=engine))
    count = len(tokens) - 1
    code, nats = encode(stage_predictor(cfg, stage, model, STRINGS, tokens[0], count), tokens[1:])
    assert decode(stage_predictor(cfg, stage, model, STRINGS, tokens[0], count), code, count) == tokens[1:]
    assert 0 <= 8 * len(code) - nats / np.log(2) < 64


def test_another_model_does_not_decode_it(cfg: Config, model: GPT, tokens: list[int]) -> None:
    count = len(tokens) - 1
    code, _ = encode(stage_predictor(cfg, "sliding", model, STRINGS, tokens[0], count), tokens[1:])
    torch.manual_seed(1)
    assert decode(stage_predictor(cfg, "sliding", GPT(cfg), STRINGS, tokens[0], count), code, count) != tokens[1:]


class Sure:
    """All but certain of token 0; token 1 has a probability that a float32 cannot hold."""

    def step(self, choose: Choose) -> int:
        return choose(np.array([1 - 1e-60, 1e-60]), np.arange(2))


def test_what_was_all_but_impossible_can_still_be_coded() -> None:
    tokens = [0] * 50 + [1] + [0] * 50
    code, _ = encode(Sure(), tokens)
    assert decode(Sure(), code, len(tokens)) == tokens
    assert len(code) <= 8


def test_code_files() -> None:
    tokens = [70, 3, 4, 5]
    blob = pack_code(tokens, b"12345678")
    assert unpack_code(blob, Path("x")) == (3, 70, b"12345678")
    for at in range(len(blob)):
        damaged = bytearray(blob)
        damaged[at] ^= 1
        with pytest.raises(InputError, match="code file of version 2, found" if at < 5 else "damaged; encode it again"):
            unpack_code(bytes(damaged), Path("x"))
    with pytest.raises(InputError, match="damaged"):
        unpack_code(blob[:-1], Path("x"))
    with pytest.raises(InputError, match="expected a code file of version 2, found b''"):
        unpack_code(b"", Path("x"))
