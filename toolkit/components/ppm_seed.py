"""The byte mixture of #1785, as it was, to reproduce it and to learn from it: its scores are no code length.

Order-5 PPM-D over the bytes scored so far; the network's log-probability of a token is spread evenly over its bytes;
each byte is charged by a mixture of the two, whose weight depends on PPM's probability of the byte that came. The
"probabilities" of all tokens then sum to more than one, for two reasons: the gate has seen the outcome, and the even
spread belongs to no distribution over the next byte. `golf check` refuses it for a record.

What differs from #1785: bytes are those of the text. There a byte-fallback piece counted as the six characters of its
name and BOS as three, one percent too many. Here a token without text, such as BOS, costs the network's nats.
"""

import math

import numpy as np
import torch
from torch import Tensor

from toolkit.components.config import Config

PPM_FLOOR = 1e-20


class SeedMixer:
    """PPM-D without exclusion, and its mixture with the network. State: counts of the bytes charged so far."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.counts: dict[bytes, int] = {}  # of a context and the byte after it, as one string
        self.totals: dict[bytes, int] = {}  # by context, sum of its counts
        self.distinct: dict[bytes, int] = {}  # by context, number of its counts
        self.largest: dict[bytes, int] = {}  # by context, the highest of its counts; kept for the documented gate
        self.history = b""  # the last `order` bytes

    def contexts(self) -> list[bytes]:
        """All suffixes of the history, the longest first."""
        return [self.history[start:] for start in range(len(self.history) + 1)]

    def predict(self, byte: bytes) -> tuple[float, float]:
        """PPM's probability of the next byte, and the confidence that the gate looks at.

        In a context with total T and u distinct bytes, a byte of count c has (2c - 1) / 2T and the escape to the next
        shorter context u / 2T; below order 0 all bytes have 1/256. The search starts at the longest context known.
        The documented confidence is the highest probability in that context, the observed one that of the byte itself.
        """
        probability, confidence = 1.0, 0.0
        for context in self.contexts():
            if context not in self.totals:
                continue
            double_total = 2 * self.totals[context]
            if self.cfg.ppm_seed.gate == "documented":
                confidence = confidence or (2 * self.largest[context] - 1) / double_total
            if count := self.counts.get(context + byte):
                probability *= (2 * count - 1) / double_total
                break
            probability *= self.distinct[context] / double_total
        else:
            probability /= 256
        probability = max(probability, PPM_FLOOR)
        if self.cfg.ppm_seed.gate == "observed":
            confidence = probability
        return probability, confidence

    def update(self, byte: bytes) -> None:
        """Count a byte in all its contexts."""
        for context in self.contexts():
            count = self.counts[context + byte] = self.counts.get(context + byte, 0) + 1
            self.totals[context] = self.totals.get(context, 0) + 1
            if count == 1:
                self.distinct[context] = self.distinct.get(context, 0) + 1
            if self.cfg.ppm_seed.gate == "documented":
                self.largest[context] = max(self.largest.get(context, 0), count)
        self.history = (self.history + byte)[-self.cfg.ppm_seed.order :]

    def charge(self, text: bytes, network_nats: float) -> float:
        """Nats of a token with these bytes, which are counted one by one as soon as each is charged."""
        if not text:
            return network_nats
        network_probability = math.exp(-network_nats / len(text))  # of each byte
        nats = 0.0
        for i in range(len(text)):
            byte = text[i : i + 1]
            probability, confidence = self.predict(byte)
            weight = self.cfg.ppm_seed.lambda_default
            if confidence > self.cfg.ppm_seed.confidence:
                weight = self.cfg.ppm_seed.lambda_confident
            nats -= math.log(weight * network_probability + (1 - weight) * probability)
            self.update(byte)
        return nats


def mix_ppm_seed(
    cfg: Config,
    strings: list[bytes],  # bytes of each token of the vocabulary
    targets: np.ndarray,  # int64[n]
    network_nats: Tensor,  # float64[n]
) -> Tensor:
    """Nats that #1785 would charge for the targets, float64[n]."""
    mixer = SeedMixer(cfg)
    pairs = zip(targets.tolist(), network_nats.tolist(), strict=True)
    return torch.tensor([mixer.charge(strings[token], nats) for token, nats in pairs], dtype=torch.float64)
