"""Attributes that only ever hold one flag: True, False or None.

All instances of their class have been followed (`methods.py`), so all that sets or reads such an attribute is known.
Left out are those that the constructor may not set, and names that a string, a class body or torch uses as well.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.bundle.calls.instances import Trail
from toolkit.bundle.calls.methods import OF_MODULE
from toolkit.bundle.calls.uses import Uses
from toolkit.bundle.rewrite.signatures import constructor
from toolkit.bundle.rewrite.simplify import own_nodes
from toolkit.syntax.constants import is_flag


@dataclass(frozen=True, eq=False)
class FlagAttribute:
    """An attribute of one class that is always `value`."""

    settings: list[ast.Assign | ast.AnnAssign]
    reads: list[ast.Attribute]
    value: ast.expr


def flag_attributes(uses: Uses, followed: Mapping[ast.ClassDef, Trail]) -> Iterator[FlagAttribute]:
    taken = uses.strings | uses.class_names
    for definition, trail in followed.items():
        always_run = _always_run(constructor(definition))
        for name, accesses in uses.attributes.items():
            is_taken = name in taken or (definition.bases and OF_MODULE.fullmatch(name))
            if not is_taken and all(trail.reached.get(access.value) == "one" for access in accesses):
                found = _flag_attribute(uses, accesses)
                if found and not always_run.isdisjoint(found.settings):
                    yield found


def _always_run(init: ast.FunctionDef | None) -> set[ast.stmt]:
    """Statements that no instance is without."""
    body = init.body if init else []
    return set() if any(isinstance(node, ast.Return) for node in own_nodes(body)) else set(body)


def _flag_attribute(uses: Uses, accesses: list[ast.Attribute]) -> FlagAttribute | None:
    settings: list[ast.Assign | ast.AnnAssign] = []
    reads: list[ast.Attribute] = []
    values: dict[str, ast.expr] = {}
    for access in accesses:
        if isinstance(access.ctx, ast.Load) and not uses.source.enclosing_fstring(access):
            reads.append(access)
            continue
        match uses.source.parents[access]:
            case (
                ast.Assign(targets=[target], value=value)
                | ast.AnnAssign(target=target, value=ast.expr() as value) as stmt
            ) if target is access and is_flag(value):
                settings.append(stmt)
                values[ast.dump(value)] = value
            case _:
                return None
    return FlagAttribute(settings, reads, *values.values()) if len(values) == 1 else None
