"""Parameters that every call gives the same literal: it moves into the function, and parameter and arguments go.

So does a parameter that nothing reads, such as one that only carried a flag which has been folded. Relies on seeing all
calls, and covers functions and constructors at the top level that are only ever called by name; not methods, which
foreign code may call, nor calls with `*` and `**`.
"""

import ast
from collections.abc import Iterator
from itertools import accumulate
from types import NoneType

from toolkit.bundle.link.parts import Part, with_source
from toolkit.bundle.rewrite.edits import Source
from toolkit.bundle.rewrite.expressions import replace_by_literal
from toolkit.bundle.rewrite.scopes import Binding, find_bindings
from toolkit.bundle.rewrite.signatures import all_read, constructor, has_known_decorators, sole_definition
from toolkit.bundle.rewrite.simplify import is_pure, simplify
from toolkit.syntax.constants import evaluate, is_literal, literal

_Span = tuple[int, int, bytes]


def fold_parameters(parts: list[Part], flags_only: bool) -> list[Part]:
    """The same program with fewer parameters, simplified again. With `flags_only` just True, False and None move."""
    while True:
        source = Source("".join(part.source for part in parts))
        for edits in _proposals(source, flags_only):
            if edits and not _overlap(edits, source.edits):
                source.edits += edits
        if not source.edits:
            return parts
        parts = _distributed(parts, source.edits)


def _distributed(parts: list[Part], edits: list[_Span]) -> list[Part]:
    """Apply edits of the joined text to the parts they fall in."""
    starts = [0, *accumulate(len(part.source.encode()) for part in parts)]
    changed = []
    for part, begin, end in zip(parts, starts, starts[1:], strict=False):
        source = Source(part.source)
        source.edits = [(first - begin, last - begin, new) for first, last, new in edits if begin <= first < end]
        changed.append(with_source(part, simplify(source.edited())) if source.edits else part)
    return changed


def _overlap(edits: list[_Span], others: list[_Span]) -> bool:
    return any(start < last and first < end for start, end, _ in edits for first, last, _ in others)


def _proposals(source: Source, flags_only: bool) -> Iterator[list[_Span]]:
    """For every parameter that can go the edits that remove it."""
    bindings = find_bindings(source.tree)
    calls = {node.func: node for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    owners = {mention.node: binding for binding in bindings for mention in binding.mentions}
    for binding in bindings:
        definition, uses = sole_definition(binding)
        if definition not in source.tree.body or not has_known_decorators(definition):
            continue
        function = constructor(definition) if isinstance(definition, ast.ClassDef) else definition
        direct = [calls[use] for use in uses if use in calls]
        if not function or not direct or len(direct) < len(uses) or any(_is_open(source, call) for call in direct):
            continue
        arguments = function.args
        if arguments.posonlyargs or arguments.vararg or arguments.kwarg:
            continue
        first = int(isinstance(definition, ast.ClassDef))
        for index, parameter in enumerate(arguments.args[first:]):
            default = dict(zip(arguments.args[::-1], arguments.defaults[::-1], strict=False)).get(parameter)
            given = [_given(call, index, parameter.arg) for call in direct]
            yield _removal(source, owners[parameter], parameter, default, given, flags_only)


def _is_open(source: Source, call: ast.Call) -> bool:
    """Whether a call may pass more than it shows, or stands in an f-string, where positions are not to be relied on."""
    is_starred = any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords)
    return is_starred or source.enclosing_fstring(call) is not None


def _given(call: ast.Call, index: int, name: str) -> ast.expr | ast.keyword | None:
    """What a call passes for a parameter, None for its default."""
    if index < len(call.args):
        return call.args[index]
    return next((item for item in call.keywords if item.arg == name), None)


def _removal(
    source: Source,
    binding: Binding,
    parameter: ast.arg,
    default: ast.expr | None,
    given: list[ast.expr | ast.keyword | None],
    flags_only: bool,
) -> list[_Span]:
    """Edits that take a parameter out of its function and of all calls; none if it has to stay."""
    uses = [mention.node for mention in binding.mentions if mention.node is not parameter]
    values = [item.value if isinstance(item, ast.keyword) else item or default for item in given]
    if not all_read(uses) or None in values:
        return []
    is_same = is_literal(values[0]) and len({ast.dump(value) for value in values if value}) == 1  # type: ignore[arg-type]
    is_flag = is_same and isinstance(values[0], ast.Constant) and isinstance(values[0].value, (bool, NoneType))
    moves = is_same and (is_flag or not flags_only)
    if not moves and (uses or not all(value and is_pure(value) for value in values)):
        return []
    accepted, source.edits = source.edits, []
    source.drop_item(source.start(parameter), source.end(default or parameter))
    for item in given:
        if item:
            source.drop_item(source.start(item), source.end(item))
    if uses:
        _substitute(source, uses, evaluate(values[0]))  # type: ignore[arg-type]
    proposed, source.edits = source.edits, accepted
    return proposed


def _substitute(source: Source, uses: list[ast.Name], value: object) -> None:
    """Put a literal in the place of names; an f-string around some of them is printed anew."""
    fstrings: dict[ast.JoinedStr, list[ast.Name]] = {}
    for use in uses:
        if fstring := source.enclosing_fstring(use):
            fstrings.setdefault(fstring, []).append(use)
        else:
            replace_by_literal(source, use, value)
    for fstring, inside in fstrings.items():
        names = [use.id for use in inside]
        for use in inside:
            use.id = f"({literal(value)})"  # a name is printed as it is
        source.replace(source.start(fstring), source.end(fstring), ast.unparse(fstring))
        for use, name in zip(inside, names, strict=True):
            use.id = name
