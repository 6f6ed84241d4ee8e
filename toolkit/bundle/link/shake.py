"""Keep what the program's start reaches, statement by statement; drop the rest."""

import ast

from toolkit.bundle.link.parts import Import, Part, with_source
from toolkit.bundle.rewrite.edits import Source, first_line, last_line

# Called by others through a protocol of the language's library, under names that no source of ours may mention.
PROTOCOL_METHODS = frozenset({"close", "emit", "fileno", "flush", "isatty", "keys", "read", "readline", "write"})


def shake(imports: list[Import], parts: list[Part], roots: frozenset[str]) -> tuple[list[Import], list[Part]]:
    """Parts and imports that `roots` reach, in their order; methods that nothing names go as well."""
    while True:
        kept = _reached(parts, roots)
        attributes = frozenset().union(*(part.attributes for part in kept))
        shaken = [drop_unused_methods(part, attributes) for part in kept]
        if shaken == parts:
            break
        parts = shaken
    used = roots.union(*(part.references for part in parts))
    return [item for item in imports if item.name in used], parts


def _reached(parts: list[Part], roots: frozenset[str]) -> list[Part]:
    declared_by: dict[str, list[Part]] = {}
    for part in parts:
        for name in part.declares:
            declared_by.setdefault(name, []).append(part)
    reached: set[int] = set()
    pending = [part for part in parts if part.has_effects]
    pending += [part for root in sorted(roots) for part in declared_by.get(root, [])]
    while pending:
        part = pending.pop()
        if id(part) not in reached:
            reached.add(id(part))
            pending += [user for name in part.references for user in declared_by.get(name, [])]
    return [part for part in parts if id(part) in reached]


def drop_unused_methods(part: Part, attributes: frozenset[str]) -> Part:
    """A class without methods that no attribute access names.

    A class with bases keeps all of its methods: the base may call them.
    """
    source = Source(part.source)
    (stmt,) = source.tree.body
    if not isinstance(stmt, ast.ClassDef) or stmt.bases or stmt.keywords:
        return part
    unused = [
        item
        for item in stmt.body
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
        and item.name not in attributes | PROTOCOL_METHODS
        and not (item.name.startswith("__") and item.name.endswith("__"))
    ]
    for item in unused:
        if item is stmt.body[0]:
            source.replace_lines(first_line(item), last_line(item), " " * item.col_offset + "pass\n")
        else:
            source.delete_lines(last_line(stmt.body[stmt.body.index(item) - 1]) + 1, last_line(item))
    return with_source(part, source.edited())
