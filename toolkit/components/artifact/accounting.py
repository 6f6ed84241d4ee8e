"""Where an artifact's bytes go: by tensor and kind, which are symbols, scales, tables and passthrough.

What is compressed together has no sizes of its own. Every array is taken at the order-0 entropy of its bytes, plane by
plane, and all of them are scaled to add up to the file.
"""

import numpy as np

from toolkit.components.artifact.quantized import QuantizedTensor
from toolkit.components.artifact.schemes import scheme_slots, tensor_symbols
from toolkit.components.config import Config


def entropy_bytes(array: np.ndarray) -> float:
    """Order-0 entropy of an array's first bytes, second bytes, ..., added up."""
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.itemsize).T
    counts = np.concatenate([np.bincount(plane) for plane in planes])
    return float((counts * -np.log2(np.maximum(counts, 1) / max(array.size, 1))).sum()) / 8


def byte_shares(cfg: Config, quantized: dict[str, QuantizedTensor], file_bytes: int) -> dict[tuple[str, str], float]:
    """Bytes of a file by tensor and kind, in order of name."""
    shares: dict[tuple[str, str], float] = {}
    for name, tensor in sorted(quantized.items()):
        values, kinds = tensor.values, [kind for kind, _, _ in scheme_slots(cfg, tensor.shape)[tensor.scheme]]
        if cfg.quantize.coded and tensor.scheme < 0:
            values, kinds = tensor_symbols(cfg, tensor).astype(np.int8), ["symbols", *kinds]
        for kind, array in zip(kinds, (values, *tensor.side), strict=True):
            shares[name, kind] = shares.get((name, kind), 0) + entropy_bytes(array)
    scale = file_bytes / sum(shares.values())
    return {key: scale * share for key, share in shares.items()}


def share_lines(shares: dict[tuple[str, str], float]) -> list[str]:
    """Log lines of the result of `byte_shares`, and of the sum of each kind over all tensors."""
    sums = {("all", kind): sum(share for key, share in shares.items() if key[1] == kind) for _, kind in shares}
    return [f"artifact_bytes:{name} {kind}:{share:.0f}" for (name, kind), share in (shares | sums).items()]
