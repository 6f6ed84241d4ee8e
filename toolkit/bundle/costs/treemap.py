"""An explanation as a picture: a squarified treemap in one SVG file that any browser shows.

Components are framed groups, definitions the tiles in them, areas the packed bytes; a tile's tooltip has its numbers.
Layout after Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from toolkit.bundle.costs.explain import Component, Explanation
from toolkit.folders import write_atomically

_WIDTH, _HEIGHT = 1200.0, 800.0
_TITLE, _HEADING = 28.0, 16.0  # heights of the lines of text
_COLOURS = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#76b7b2",
    "#b07aa1",
    "#9c755f",
    "#edc948",
    "#ff9da7",
    "#bab0ac",
)
_CHARACTER = 6.2  # width of a character of 10 px

Rectangle = tuple[float, float, float, float]  # x, y, width, height


def squarify(weights: Sequence[float], area: Rectangle) -> list[Rectangle]:
    """Rectangles with areas in proportion to weights above 0, largest first, as square as a greedy pass makes them."""
    x, y, width, height = area
    scale = width * height / sum(weights)
    rectangles: list[Rectangle] = []
    start = 0
    while start < len(weights):
        side = min(width, height)
        row = [weights[start] * scale]
        while start + len(row) < len(weights):
            longer = [*row, weights[start + len(row)] * scale]
            if _worst_ratio(longer, side) > _worst_ratio(row, side):
                break
            row = longer
        thickness = sum(row) / side
        offset = 0.0
        for item in row:
            length = item / thickness
            is_column = height <= width
            rectangles.append((x, y + offset, thickness, length) if is_column else (x + offset, y, length, thickness))
            offset += length
        if height <= width:
            x, width = x + thickness, max(width - thickness, 1e-9)
        else:
            y, height = y + thickness, max(height - thickness, 1e-9)
        start += len(row)
    return rectangles


def _worst_ratio(row: list[float], side: float) -> float:
    """The largest ratio of sides in a row of areas along a side."""
    total = sum(row)
    return max(max(side**2 * item / total**2, total**2 / (side**2 * item)) for item in row)


def write_treemap(explanation: Explanation, path: Path) -> None:
    """Write the picture; an old one is replaced in one step."""
    write_atomically(path, treemap(explanation))


def treemap(explanation: Explanation) -> str:
    """The picture as SVG text. What costs nothing has no tile."""
    components = [component for component in explanation.components if component.packed_bytes > 0]
    title = f"{explanation.recipe}: {explanation.code_bytes:,} bytes packed as {explanation.encoding}"
    note = (
        f"stub {explanation.stub_bytes:,}, shared {explanation.shared_bytes:,}, the rest by what leaving it out saves"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT + _TITLE:g}" font-size="10" '
        'font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="4" y="19" font-size="14">{escape(title)} ({escape(note)})</text>',
    ]
    areas = squarify([c.packed_bytes for c in components], (0.0, _TITLE, _WIDTH, _HEIGHT)) if components else []
    for index, (component, area) in enumerate(zip(components, areas, strict=True)):
        lines += _group(component, area, _COLOURS[index % len(_COLOURS)])
    return "\n".join([*lines, "</svg>\n"])


def _group(component: Component, area: Rectangle, colour: str) -> list[str]:
    x, y, width, height = area
    heading = _HEADING if height > 3 * _HEADING else 0.0
    label = f"{component.name} {component.packed_bytes:,}"
    lines = ["<g>", _rectangle(area, colour, label, 0.35)]
    if heading:
        lines.append(_text(x + 3, y + 12, label, width, bold=True))
    definitions = [d for d in component.definitions if d.packed_bytes > 0]
    inside = (x + 1, y + heading, max(width - 2, 0.1), max(height - heading - 1, 0.1))
    tiles = squarify([d.packed_bytes for d in definitions], inside) if definitions else []
    for definition, tile in zip(definitions, tiles, strict=True):
        numbers = f"{definition.packed_bytes:,} bytes packed, {definition.minified_bytes:,} minified"
        lines.append(_rectangle(tile, colour, f"{component.name}: {definition.name}, {numbers}", 0.75))
        if tile[3] > 12:
            lines.append(_text(tile[0] + 3, tile[1] + 11, definition.name, tile[2]))
    return [*lines, "</g>"]


def _rectangle(area: Rectangle, colour: str, tooltip: str, opacity: float) -> str:
    x, y, width, height = (f"{value:.1f}" for value in area)
    shape = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return (
        f'<rect {shape} fill="{colour}" fill-opacity="{opacity}" stroke="white"><title>{escape(tooltip)}</title></rect>'
    )


def _text(x: float, y: float, text: str, width: float, bold: bool = False) -> str:
    """A label, cut to the width it has."""
    shown = text[: max(0, int((width - 6) / _CHARACTER))]
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" pointer-events="none"{weight}>{escape(shown)}</text>'
