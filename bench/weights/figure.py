"""The figure of `bench weights`, one SVG file: divergence over bytes, a curve for each scheme."""

import math
from pathlib import Path

_WIDTH, _HEIGHT = 520.0, 320.0  # of the plot
_LEFT, _TOP = 70.0, 40.0
_COLOURS = ("#4e79a7", "#e15759")
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def write_figure(path: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Write curves of (bytes, bits per byte), the latter on a logarithmic axis."""
    points = [point for curve in curves.values() for point in curve]
    first, last = min(size for size, _ in points), max(size for size, _ in points)
    logs = [math.log(loss) for _, loss in points]
    low, high = min(logs) - 0.2, max(logs) + 0.2

    def x_of(size: float) -> float:
        return _LEFT + _WIDTH * (size - first) / (last - first)

    def y_of(loss: float) -> float:
        return _TOP + _HEIGHT * (high - math.log(loss)) / (high - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 40:g} {_TOP + _HEIGHT + 60:g}" '
        'font-size="12" font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(_LEFT, _TOP - 14, "divergence from the float network, bits per byte", "start"),
        _text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 40, "bytes of the block matrices", "middle"),
    ]
    for tick in _TICKS:
        if low <= math.log(tick) <= high:
            y = y_of(tick)
            lines.append(f'<line x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            lines.append(_text(_LEFT - 6, y + 4, f"{tick:g}", "end"))
    for i in range(5):
        size = first + i * (last - first) / 4
        lines.append(_text(x_of(size), _TOP + _HEIGHT + 18, f"{size / 1000:.0f} k", "middle"))
    for colour, (name, curve) in zip(_COLOURS, curves.items(), strict=True):
        ordered = sorted(curve)
        line = " ".join(f"{x_of(size):.1f},{y_of(loss):.1f}" for size, loss in ordered)
        lines.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        lines += [
            f'<circle cx="{x_of(size):.1f}" cy="{y_of(loss):.1f}" r="3" fill="{colour}"/>' for size, loss in ordered
        ]
        size, loss = ordered[len(ordered) // 2]
        lines.append(_text(x_of(size) + 8, y_of(loss) - 6, name, "start", colour))
    path.write_text("\n".join([*lines, "</svg>\n"]), encoding="utf-8")


def _text(x: float, y: float, text: str, anchor: str, colour: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
