"""Costs by leaving out, and their picture."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.bundle.build import Program
from toolkit.bundle.costs.explain import Component, Definition, Explanation, explain, measure
from toolkit.bundle.costs.treemap import squarify, treemap
from toolkit.bundle.link.parts import make_part
from toolkit.bundle.minify import order
from toolkit.bundle.pack.compress import default_filters, raw_lzma
from toolkit.recipe import load_recipe

DEFINITIONS = ["def f(a):\n return a\n", "TEXT='a quick brown fox jumps over it'\n", "def g(b):\n return b\n"]
TEXT = "import math\n" + "".join(DEFINITIONS) + "if 1:f(2)\n"


def test_costs_are_what_leaving_out_saves() -> None:
    parts = [
        make_part(text, module, "script", 1) for text, module in zip(DEFINITIONS, ["one", "two", "one"], strict=True)
    ]
    filters = default_filters(TEXT.encode())

    def size(text: str) -> int:
        return len(raw_lzma(text.encode(), filters))

    components = {c.name: c for c in measure(Program("", TEXT, parts), size(TEXT))}
    assert components.keys() == {"one", "two", "script"}
    assert components["two"].packed_bytes == size(TEXT) - size(TEXT.replace(DEFINITIONS[1], ""))
    both = TEXT.replace(DEFINITIONS[0], "").replace(DEFINITIONS[2], "")
    assert components["one"].packed_bytes == size(TEXT) - size(both)
    # The second of two alike costs next to nothing, so together they cost more than one after the other.
    assert components["one"].packed_bytes > sum(d.packed_bytes for d in components["one"].definitions)
    assert {d.name for d in components["script"].definitions} == {"imports", "start"}
    assert sum(c.minified_bytes for c in components.values()) == len(TEXT)


def test_explanation_of_a_recipe_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "STEPS", 1)
    found = explain(load_recipe("naive_baseline"))
    assert found.code_bytes == found.stub_bytes + found.shared_bytes + sum(c.packed_bytes for c in found.components)
    assert {"model.gpt", "training.muon", "main", "script"} <= {c.name for c in found.components}
    names = [d.name for c in found.components for d in c.definitions]
    assert len(names) == len(set(names))
    assert all(c.packed_bytes > 0 for c in found.components)
    assert found.to_json()["components"][0]["definitions"][0].keys() == {"name", "packed_bytes", "minified_bytes"}


@given(
    st.lists(st.floats(0.5, 1000), min_size=1, max_size=40).map(lambda weights: sorted(weights, reverse=True)),
    st.floats(10, 1000),
    st.floats(10, 1000),
)
def test_treemap_fills_its_area_without_overlap(weights: list[float], width: float, height: float) -> None:
    tiles = squarify(weights, (5.0, 7.0, width, height))
    scale = width * height / sum(weights)
    for weight, (x, y, w, h) in zip(weights, tiles, strict=True):
        assert math.isclose(w * h, weight * scale, rel_tol=1e-6)
        assert x >= 5 - 1e-6
        assert y >= 7 - 1e-6
        assert x + w <= 5 + width * (1 + 1e-6)
        assert y + h <= 7 + height * (1 + 1e-6)
    for i, (x, y, w, h) in enumerate(tiles):
        for u, v, m, n in tiles[:i]:
            overlap = min(x + w, u + m) - max(x, u), min(y + h, v + n) - max(y, v)
            assert min(overlap) < 1e-6 * (width + height)


@pytest.mark.parametrize("components", [0, 1, 3])
def test_picture_is_valid_svg_with_every_definition(components: int) -> None:
    definitions = [Definition("a<b>&", 50, 99), Definition("free", -1, 7)]
    explanation = Explanation(
        "name & 'title'",
        "base85",
        999,
        100,
        9,
        [Component(f"module{i}", 40, 106, definitions) for i in range(components)],
    )
    root = ElementTree.fromstring(treemap(explanation))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles.count("module0: a<b>&, 50 bytes packed, 99 minified") == min(components, 1)
    assert len(titles) == 2 * components
