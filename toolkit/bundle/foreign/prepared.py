"""Classes whose bodies may run in a mapping of their metaclass, given by `__prepare__`.

Such a mapping may answer to any name that the body reads, also to one that the program binds further out.
"""

import ast
import builtins
from collections.abc import Iterator

from toolkit.bundle.foreign.escapes import callers
from toolkit.bundle.foreign.program import Program
from toolkit.bundle.rewrite.scopes import Binding

_METACLASSES = {"type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"}  # that answer to what the body has bound


def names_in_prepared(program: Program) -> Iterator[Binding]:
    """The names that are read right in the bodies of such classes."""
    prepared = {node for node in program.classes if _may_be_prepared(program, node)}
    for binding in program.bindings if prepared else ():
        if any(mention.scope.node in prepared for mention in binding.mentions):
            yield binding


def _may_be_prepared(program: Program, node: ast.ClassDef) -> bool:
    has_metaclass = any(
        keyword.arg is None or (keyword.arg == "metaclass" and not program.origins(keyword.value) & _METACLASSES)
        for item in program.own_bases(node)
        for keyword in item.keywords
    )
    return has_metaclass or not all(_is_known(program, base) for base in program.foreign_bases(node))


def _is_known(program: Program, base: ast.expr) -> bool:
    """Whether a base from outside is one of a metaclass that gives a plain mapping."""
    while isinstance(base, ast.Subscript):  # `Generic[T]`
        base = base.value
    known = callers()["bases"]
    return any(name in known or isinstance(getattr(builtins, name, None), type) for name in program.origins(base))
