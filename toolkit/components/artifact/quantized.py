"""One tensor as the artifact holds it: in a scheme, which is a number that the artifact names for every tensor.

Schemes 16 and 32 are plain numbers, fp16 or fp32. Which others a recipe may use, and what they store, is the matter of
`schemes.py`. The values of a scheme below zero lie in the coded stream of `coders.py`.
"""

from dataclasses import dataclass

import numpy as np

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
