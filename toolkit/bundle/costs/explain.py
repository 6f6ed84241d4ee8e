"""What every component and definition of a packed script costs, measured by leaving it out.

A cost is the difference between the stream of the whole program and that of the program without the text in question,
under the same codec and settings, times what the encoding makes of a byte. Costs do not add up to the file: what two
definitions have in common is paid for once, and whichever stays goes on paying. The rest is listed as `shared`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import brotli

from toolkit.bundle.build import Program, make_program
from toolkit.bundle.minify.order import cut
from toolkit.bundle.pack.compress import Stream, default_filters, in_parallel, raw_lzma
from toolkit.bundle.pack.pack import ENCODINGS, Stub, imports_brotli, pack
from toolkit.components.config import Config

SCRIPT = "script"  # the component of what belongs to none: imports, and the block that starts the run


@dataclass(frozen=True)
class Definition:
    """One statement of the top level."""

    name: str
    packed_bytes: int  # of the file, saved by leaving it out
    minified_bytes: int


@dataclass(frozen=True)
class Component:
    """All that one module contributes."""

    name: str
    packed_bytes: int  # saved by leaving all of it out at once
    minified_bytes: int
    definitions: list[Definition]  # the most expensive first


@dataclass(frozen=True)
class Explanation:
    """Where the bytes of a packed script go: `code_bytes` = stub + components + shared."""

    recipe: str
    encoding: str
    code_bytes: int
    stub_bytes: int
    shared_bytes: int
    components: list[Component]  # the most expensive first

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def explain(cfg: Config, encoding: str = "base85") -> Explanation:
    """Measure a recipe's script."""
    program = make_program(cfg)
    code_bytes = len(pack(program.text, encoding))
    encode = ENCODINGS["latin1" if encoding == "auto" else encoding]
    stub_bytes = len(encode(Stream(b"", "brotli" if imports_brotli(program.text) else "lzma"), Stub()))
    components = measure(program, code_bytes - stub_bytes)
    shared = code_bytes - stub_bytes - sum(component.packed_bytes for component in components)
    return Explanation(cfg.name, encoding, code_bytes, stub_bytes, shared, components)


def measure(program: Program, literal_bytes: int) -> list[Component]:
    """Costs of all components and definitions; the whole stream takes `literal_bytes` of the file."""
    head, pieces, tail = cut(program.text)
    texts = [head, *pieces, tail]
    owners = [SCRIPT, *(part.module for part in program.parts), SCRIPT]
    names = ["imports", *(" ".join(sorted(part.declares)) for part in program.parts), "start"]
    modules = sorted(set(owners))
    compressed_bytes = _compressor(program.text)
    whole = compressed_bytes(program.text)

    def cost(left_out: list[int]) -> int:
        rest = "".join(text for index, text in enumerate(texts) if index not in left_out)
        return round((whole - compressed_bytes(rest)) * literal_bytes / whole)

    groups = [[index for index, owner in enumerate(owners) if owner == module] for module in modules]
    costs = in_parallel(cost, [*groups, *([index] for index in range(len(texts)))])
    sizes = [len(text.encode()) for text in texts]
    definitions = [Definition(*row) for row in zip(names, costs[len(groups) :], sizes, strict=True)]
    components = [
        Component(
            module,
            packed_bytes,
            sum(sizes[index] for index in group),
            sorted((definitions[index] for index in group), key=lambda d: (-d.packed_bytes, d.name)),
        )
        for module, group, packed_bytes in zip(modules, groups, costs, strict=False)
    ]
    return sorted(components, key=lambda c: (-c.packed_bytes, c.name))


def _compressor(text: str) -> Callable[[str], int]:
    """The length of a stream under the codec that packs this program."""
    if imports_brotli(text):
        return lambda part: len(brotli.compress(part.encode(), quality=11, lgwin=16))
    filters = default_filters(text.encode())
    return lambda part: len(raw_lzma(part.encode(), filters))
