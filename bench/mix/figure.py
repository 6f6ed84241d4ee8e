"""The figure of `bench mix`, one SVG file: bits per byte along the stream, and where the mixture's gain comes from."""

import math
from pathlib import Path
from typing import TypeVar

import numpy as np

_WIDTH, _HEIGHT = 460.0, 300.0  # of a panel's plot
_LEFT, _TOP, _GAP = 60.0, 40.0, 90.0
_POINTS = 400  # of a curve
_SKIPPED_BYTES = 20_000  # the mean of the first ones is noise
_NETWORK, _MIXTURE = "#4e79a7", "#e15759"
MATCH_EDGES = (0, 6, 8, 12, 16, 32)  # a bar from each of these lengths up to the next
MIN_MATCH = MATCH_EDGES[1]
_MAX_MATCH = 64
Height = TypeVar("Height", float, np.ndarray)


def match_lengths(text: bytes) -> np.ndarray:
    """int64[n] by byte: how many bytes before it agree with those before where the last 6 stood most recently.

    What a context model can know before the byte comes: from MIN_MATCH up to 64, or 0 where the last 6 are new.
    """
    lengths = np.zeros(len(text), np.int64)
    seen: dict[bytes, int] = {}
    for i in range(MIN_MATCH, len(text)):
        recent = text[i - MIN_MATCH : i]
        j = seen.get(recent, 0)
        if j:
            length = MIN_MATCH
            while length < min(_MAX_MATCH, j) and text[j - length - 1] == text[i - length - 1]:
                length += 1
            lengths[i] = length
        seen[recent] = i
    return lengths


def write_figure(
    path: Path,
    network_nats: np.ndarray,  # float64[n] by target
    mixture_nats: np.ndarray,
    target_bytes: np.ndarray,  # int64[n]
    text: bytes,  # of the targets
) -> None:
    """Write both panels side by side."""
    width, height = 2 * (_LEFT + _WIDTH) + _GAP, _TOP + _HEIGHT + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-size="12" '
        'font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        *_curves(network_nats, mixture_nats, target_bytes),
        f'<g transform="translate({_LEFT + _WIDTH + _GAP:g} 0)">',
        *_bars(network_nats, mixture_nats, target_bytes, match_lengths(text)),
        "</g>",
        "</svg>\n",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _curves(network_nats: np.ndarray, mixture_nats: np.ndarray, target_bytes: np.ndarray) -> list[str]:
    """Cumulative bits per byte over the bytes scored."""
    num_bytes = target_bytes.cumsum()
    chosen = np.linspace(np.searchsorted(num_bytes, _SKIPPED_BYTES), len(num_bytes) - 1, _POINTS).astype(int)
    curves = [nats.cumsum()[chosen] / math.log(2) / num_bytes[chosen] for nats in (network_nats, mixture_nats)]
    low, high = (round(10 * edge(curves)) / 10 + shift for edge, shift in ((np.min, -0.1), (np.max, 0.1)))
    lines = _frame("bits per byte so far", "bytes scored", low, high, 0.1)
    for curve, colour, label in zip(curves, (_NETWORK, _MIXTURE), ("network", "mixture"), strict=True):
        x = _LEFT + _WIDTH * num_bytes[chosen] / num_bytes[-1]
        y = _height(curve, low, high)
        points = " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x, y, strict=True))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        lines.append(_text(x[-1] - 4, y[-1] - 8, f"{label} {curve[-1]:.4f}", "end", colour))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = f"{share * num_bytes[-1] / 1000:.0f} k"
        lines.append(_text(_LEFT + share * _WIDTH, _TOP + _HEIGHT + 16, label, "middle"))
    return lines


def _bars(
    network_nats: np.ndarray, mixture_nats: np.ndarray, target_bytes: np.ndarray, lengths: np.ndarray
) -> list[str]:
    """Relative gain by the length of the match before a target's first byte, with the bytes that had it."""
    starts = np.minimum(target_bytes.cumsum() - target_bytes, len(lengths) - 1)
    groups = np.searchsorted(MATCH_EDGES, lengths[starts], side="right") - 1
    gains = []
    for group in range(len(MATCH_EDGES)):
        chosen = groups == group
        network, mixture = network_nats[chosen].sum(), mixture_nats[chosen].sum()
        gains.append((100 * (1 - mixture / network) if network else 0.0, target_bytes[chosen].sum()))
    low, high = 10 * math.floor(min(0, *(g for g, _ in gains)) / 10), 10 * math.ceil(max(g for g, _ in gains) / 10)
    lines = _frame("gain in % of the network's bits", "bytes that agree with an earlier place", low, high, 10)
    step = _WIDTH / len(gains)
    for group, (gain, share) in enumerate(gains):
        x, zero, top = _LEFT + step * group, _height(0.0, low, high), _height(gain, low, high)
        y, height = min(zero, top), abs(zero - top)
        lines.append(
            f'<rect x="{x + 6:.1f}" y="{y:.1f}" width="{step - 12:.1f}" height="{height:.1f}" fill="{_MIXTURE}"/>'
        )
        last = f"-{MATCH_EDGES[group + 1] - 1}" if group + 1 < len(gains) else " or more"
        label = "none" if group == 0 else f"{MATCH_EDGES[group]}{last}"
        lines.append(_text(x + step / 2, _TOP + _HEIGHT + 16, label, "middle"))
        lines.append(_text(x + step / 2, y - 5, f"{gain:.1f}", "middle"))
        lines.append(_text(x + step / 2, _TOP + 14, f"{share / 1000:.0f} kB", "middle", "#777"))
    return lines


def _frame(title: str, below: str, low: float, high: float, step: float) -> list[str]:
    """Axes with a grid line every `step` from low to high."""
    lines = [
        _text(_LEFT, _TOP - 14, title, "start"),
        _text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 36, below, "middle"),
    ]
    for i in range(round((high - low) / step) + 1):
        y = _height(low + i * step, low, high)
        lines.append(f'<line x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(_text(_LEFT - 6, y + 4, f"{low + i * step:.2g}", "end"))
    return lines


def _height(value: Height, low: float, high: float) -> Height:
    return _TOP + _HEIGHT * (high - value) / (high - low)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
