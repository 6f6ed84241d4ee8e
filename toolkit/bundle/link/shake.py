"""Keep what the program's start reaches, statement by statement; drop the rest."""

import ast
from itertools import groupby

from toolkit.bundle.link.parts import Import, Part, with_source
from toolkit.bundle.rewrite.edits import Source, first_line, last_line
from toolkit.bundle.rewrite.signatures import is_plain

# Called by others through a protocol of the language's library, under names that no source of ours may mention.
PROTOCOL_METHODS = frozenset({"close", "emit", "fileno", "flush", "isatty", "keys", "read", "readline", "write"})


def shake(imports: list[Import], parts: list[Part], roots: frozenset[str]) -> tuple[list[Import], list[Part]]:
    """Parts and imports that `roots` reach, in their order; methods and declarations that nothing names go as well."""
    while True:
        kept = _reached(parts, roots)
        attributes = frozenset().union(*(part.attributes for part in kept))
        shaken = [drop_unused_members(part, attributes) for part in kept]
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


def drop_unused_members(part: Part, attributes: frozenset[str]) -> Part:
    """A class without methods and declarations (`name: type`) that no attribute access names.

    A class with bases keeps all of its methods: the base may call them. One whose declarations may be read keeps those.
    """
    source = Source(part.source)
    (stmt,) = source.tree.body
    if not isinstance(stmt, ast.ClassDef):
        return part
    end = 0  # last line of the last item that stays
    for is_unused, group in groupby(stmt.body, lambda item: _is_unused(item, stmt, attributes)):
        items = list(group)
        begin, last = end + 1, last_line(items[-1])
        if not is_unused:
            end = last
        elif not end:
            source.replace_lines(first_line(items[0]), last, " " * items[0].col_offset + "pass\n")
        else:
            is_followed = items[-1] is not stmt.body[-1] and source.lines(last + 1, last + 1).strip()
            while is_followed and not source.lines(begin, begin).strip():
                begin += 1  # the next item comes to stand there, below the blank line
            source.delete_lines(begin, last)
    return with_source(part, source.edited())


def _is_unused(item: ast.stmt, owner: ast.ClassDef, attributes: frozenset[str]) -> bool:
    match item:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            is_special = name in PROTOCOL_METHODS or (name.startswith("__") and name.endswith("__"))
            return not (owner.bases or owner.keywords or is_special or name in attributes)
        case ast.AnnAssign(target=ast.Name(id=name), value=None):
            return is_plain(owner) and name not in attributes
    return False
