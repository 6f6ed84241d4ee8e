"""PPM-D and the mixture of #1785 against its formulas: by hand, by scanning the text, and by what they sum to."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.components.config import Config, PpmSeed
from toolkit.components.ppm_seed import SeedMixer, mix_ppm_seed


def config(order: int = 5, gate: str = "observed") -> Config:
    return Config(ppm_seed=PpmSeed(order=order, gate=gate))


def read(cfg: Config, text: bytes) -> SeedMixer:
    mixer = SeedMixer(cfg)
    for i in range(len(text)):
        mixer.update(text[i : i + 1])
    return mixer


@pytest.mark.parametrize(
    ("text", "byte", "expected"),
    [
        (b"", b"a", Fraction(1, 256)),
        (b"a", b"a", Fraction(1, 2)),  # order 1 has not seen "a" followed by anything; order 0: (2 - 1) / 2
        (b"a", b"b", Fraction(1, 2) / 256),
        (b"ab", b"a", Fraction(1, 4)),
        (b"aba", b"b", Fraction(1, 2)),  # order 1 after "a": once "b"
        (b"aba", b"a", Fraction(1, 2) * Fraction(3, 6)),  # escape of order 1, then 2 of 3 at order 0
        (b"aba", b"c", Fraction(1, 2) * Fraction(2, 6) / 256),
        (b"abab", b"a", Fraction(1, 2)),  # order 2 after "ab"
    ],
)
def test_probabilities_by_hand(text: bytes, byte: bytes, expected: Fraction) -> None:
    assert read(config(order=2), text).predict(byte)[0] == pytest.approx(float(expected), rel=1e-12)


def slow_ppm(text: bytes, byte: int, order: int) -> tuple[Fraction, Fraction]:
    """Probability of `byte` after `text` and the largest one in the longest known context, from the text alone."""
    probability, largest = Fraction(1), Fraction(0)
    for length in range(min(order, len(text)), -1, -1):
        context = text[len(text) - length :]
        ends = [i for i in range(length, len(text)) if text[i - length : i] == context]
        followers = [text[i] for i in ends]
        if not followers:
            continue
        total = len(followers)
        largest = largest or Fraction(2 * max(map(followers.count, followers)) - 1, 2 * total)
        if byte in followers:
            return probability * Fraction(2 * followers.count(byte) - 1, 2 * total), largest
        probability *= Fraction(len(set(followers)), 2 * total)
    return probability / 256, largest


texts = st.lists(st.sampled_from([b"a", b"b", b"ab", b"c", b"\xff", b"aab"]), max_size=14).map(b"".join)


@given(text=texts, order=st.integers(1, 6), gate=st.sampled_from(["observed", "documented"]))
def test_probabilities_and_gates_of_any_text(text: bytes, order: int, gate: str) -> None:
    mixer = read(config(order, gate), text)
    for byte in b"abcd\xff":
        expected, largest = slow_ppm(text, byte, order)
        probability, confidence = mixer.predict(bytes([byte]))
        assert probability == pytest.approx(max(float(expected), 1e-20))
        assert confidence == pytest.approx(float(largest) if gate == "documented" else probability)


@given(text=texts)
def test_no_exclusion_leaves_less_than_one(text: bytes) -> None:
    mixer = read(config(), text)
    assert sum(mixer.predict(bytes([byte]))[0] for byte in range(256)) <= 1 + 1e-12


def slow_mixture(strings: list[bytes], targets: list[int], nats: list[float], cfg: Config) -> list[float]:
    charged, text = [], b""
    for token, token_nats in zip(targets, nats, strict=True):
        total = 0.0 if strings[token] else token_nats
        for byte in strings[token]:
            ppm, largest = map(float, slow_ppm(text, byte, cfg.ppm_seed.order))
            gate = ppm if cfg.ppm_seed.gate == "observed" else largest
            weight = 0.05 if gate > 0.9 else 0.9
            total -= math.log(weight * math.exp(-token_nats / len(strings[token])) + (1 - weight) * ppm)
            text += bytes([byte])
        charged.append(total)
    return charged


@pytest.mark.parametrize("gate", ["observed", "documented"])
def test_charges_of_a_stream(gate: str) -> None:
    strings = [b"", b"a", b"ab", b"b ", b"\xc3"]
    targets = np.random.default_rng(0).choice([0, 1, 2, 2, 2, 3, 3, 3, 4], 60)
    nats = np.random.default_rng(1).uniform(0, 6, 60)
    charged = mix_ppm_seed(config(gate=gate), strings, targets, torch.from_numpy(nats))
    expected = slow_mixture(strings, targets.tolist(), nats.tolist(), config(gate=gate))
    np.testing.assert_allclose(charged.numpy(), expected, rtol=1e-12)
    assert (charged.numpy()[targets == 0] == nats[targets == 0]).all()


@pytest.mark.parametrize("gate", ["observed", "documented"])
def test_its_charges_sum_to_more_than_one(gate: str) -> None:
    """The even spread alone does it: after a text of a's, "aa" and "aaa" are both charged as if they were alone."""
    strings = [b"a" * n for n in range(1, 8)]
    total = 0.0
    for text in strings:
        mixer = read(config(gate=gate), b"a" * 30)
        total += math.exp(-mixer.charge(text, math.log(len(strings))))
    assert total > 2
