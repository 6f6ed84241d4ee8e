"""The smallest text of a program: short names, no docstrings, no spare character, in C sources neither."""

import ast

from toolkit.bundle.link.emit import main_block
from toolkit.bundle.link.names import import_lines
from toolkit.bundle.link.parts import Import, Part
from toolkit.bundle.minify.crename import rename_c
from toolkit.bundle.minify.csource import minify_c_sources
from toolkit.bundle.minify.equal import prove_equal_up_to_names
from toolkit.bundle.minify.printer import shortest_text
from toolkit.bundle.minify.rename import rename
from toolkit.bundle.rewrite.edits import Source, first_line


def minify(imports: list[Import], parts: list[Part], start: str) -> str:
    """Rename and print; raises `NotEqual` unless the result is, up to its names, what printing alone gives."""
    tree = ast.parse("\n".join([*import_lines(imports), *(part.source for part in parts), main_block(start)]))
    minify_c_sources(tree, rename_c)
    plain = printed(tree)
    rename(tree)
    text = printed(tree)
    prove_equal_up_to_names(ast.parse(plain), ast.parse(text))
    return text


def printed(tree: ast.Module) -> str:
    """Print without notes.

    Literals are not hoisted into globals: that shortens the text but not what compression makes of it.
    """
    return shortest_text(
        tree,
        rename_locals=False,
        hoist_literals=False,
        remove_literal_statements=True,
        remove_annotations=False,  # `squeeze` did that, and knows more
    )


def module_bytes(text: str, parts: list[Part]) -> dict[str, int]:
    """UTF-8 bytes of each module in a minified text, whose statements still stand in the order of the parts.

    What belongs to no module, the imports and the block that starts the run, counts as `script`.
    """
    source = Source(text)
    *body, _ = source.tree.body
    statements = [stmt for stmt in body if not isinstance(stmt, (ast.Import, ast.ImportFrom))]
    sizes = {"script": len(source.data)}
    for part, stmt in zip(parts, statements, strict=True):
        decorated = bool(getattr(stmt, "decorator_list", []))
        start = source.line_starts[first_line(stmt) - 1] if decorated else source.start(stmt)
        num_bytes = source.end(stmt) - start + 1
        sizes[part.module] = sizes.get(part.module, 0) + num_bytes
        sizes["script"] -= num_bytes
    return sizes


def apportion(total: int, weights: dict[str, int]) -> dict[str, int]:
    """Whole numbers in proportion to weights that add up to `total` (largest remainder)."""
    scale = sum(weights.values())
    shares = {key: total * weight // scale for key, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda key: (-(total * weights[key] % scale), key))
    for key in by_remainder[: total - sum(shares.values())]:
        shares[key] += 1
    return shares
