"""Parameters that every call gives the same literal: it moves into the function, and parameter and arguments go.

So does a parameter that nothing reads, such as one that only carried a flag which has been folded, and an attribute
that always is the same flag (`attributes.py`). Relies on seeing all calls: of functions and constructors that are only
called by name (`uses.py`), and of methods of classes whose instances can all be followed (`methods.py`). Not covered:
keyword-only parameters, and calls with `*` and `**`.
"""

import ast
from collections.abc import Iterator
from itertools import accumulate

from toolkit.bundle.calls.attributes import FlagAttribute, flag_attributes
from toolkit.bundle.calls.methods import followed_classes, method_callees
from toolkit.bundle.calls.uses import Callee, Uses
from toolkit.bundle.link.parts import Part, with_source
from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_by_literal, replace_names
from toolkit.bundle.rewrite.locals import fold_locals
from toolkit.bundle.rewrite.signatures import all_read
from toolkit.bundle.rewrite.simplify import is_pure
from toolkit.syntax.constants import evaluate, is_flag, is_literal

Span = tuple[int, int, bytes]


def fold_parameters(parts: list[Part], flags_only: bool) -> list[Part]:
    """The same program with fewer parameters, simplified again. With `flags_only` just True, False and None move."""
    while True:
        source = Source("".join(part.source for part in parts))
        for edits in _proposals(source, flags_only):
            if edits and not overlap(edits, source.edits):
                source.edits += edits
        if not source.edits:
            return parts
        parts = distribute(parts, source.edits)


def distribute(parts: list[Part], edits: list[Span]) -> list[Part]:
    """Apply edits of the joined text to the parts they fall in."""
    starts = [0, *accumulate(len(part.source.encode()) for part in parts)]
    changed = []
    for part, begin, end in zip(parts, starts, starts[1:], strict=False):
        source = Source(part.source)
        source.edits = [(first - begin, last - begin, new) for first, last, new in edits if begin <= first < end]
        changed.append(with_source(part, fold_locals(source.edited())) if source.edits else part)
    return changed


def overlap(edits: list[Span], others: list[Span]) -> bool:
    return any(start < last and first < end for start, end, _ in edits for first, last, _ in others)


def _proposals(source: Source, flags_only: bool) -> Iterator[list[Span]]:
    """For every parameter and attribute that can go the edits that remove it."""
    uses = Uses(source)
    followed = followed_classes(uses)
    for callee in [*uses.callees, *method_callees(uses, followed)]:
        for parameter in callee.parameters:
            yield _removal(uses, callee, parameter, flags_only)
    for attribute in flag_attributes(uses, followed):
        yield _dissolution(source, attribute)


def _removal(uses: Uses, callee: Callee, parameter: ast.arg, flags_only: bool) -> list[Span]:
    """Edits that take a parameter out of its function and of all calls; none if it has to stay."""
    source, reads = uses.source, [m.node for m in uses.meaning[parameter].mentions if m.node is not parameter]
    values = callee.values(parameter)
    if not all_read(reads) or values is None:
        return []
    is_same = is_literal(values[0]) and len({ast.dump(value) for value in values}) == 1
    moves = is_same and (is_flag(values[0]) or not flags_only)
    if not moves and (reads or not all(is_pure(value) for value in values)):
        return []
    with source.apart() as edits:
        source.drop_item(source.start(parameter), source.end(callee.default(parameter) or parameter))
        for call in callee.calls:
            if item := callee.given(call, parameter):
                source.drop_item(source.start(item), source.end(item))
        if reads:
            replace_names(source, reads, evaluate(values[0]))
    return edits


def _dissolution(source: Source, attribute: FlagAttribute) -> list[Span]:
    """Edits that put the value of an attribute where it is read, and nothing where it is set."""
    with source.apart() as edits:
        for stmt in attribute.settings:
            source.replace(source.start(stmt), source.end(stmt), "pass")
        for read in attribute.reads:
            replace_by_literal(source, read, evaluate(attribute.value))
    return edits
