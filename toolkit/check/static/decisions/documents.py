"""DOC-BOUNDARY: what a layer carries from one token to the next, and whether it stops where a document ends.

Looks for a tensor that is blended with itself one position back, as smear gates do, in code that the run reaches. A
comparison with the token that begins a document, in the same function, shuts the gate there. Attention over packed
documents is not looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from toolkit.check.static.decisions.decision import Decision
from toolkit.check.static.labels.events import Trace
from toolkit.check.static.labels.findings import WARN
from toolkit.check.static.labels.values import Module

_TOKENS = re.compile(r"ids?$|tok|tgt|targ|label|idx|^y$", re.IGNORECASE)
_BOUNDARY = re.compile(r"bos|(?:^|_)docs?(?:_|$)|boundar|segment|(?:is|not)_start", re.IGNORECASE)
_SHIFTS = ("cat", "concatenate", "pad", "roll", "zeros_like")


def document_boundary(trace: Trace, modules: Sequence[Module]) -> Iterator[Decision]:
    """One warning for each function that carries a token's state over a boundary."""
    reached: dict[int, set[int]] = {}
    for file, line in trace.reached:
        reached.setdefault(file, set()).add(line)
    for module in (module for module in modules if module.number in reached):
        for function in ast.walk(module.tree):
            if not isinstance(function, ast.FunctionDef) or _watches_boundaries(function):
                continue
            place = _blend(function, reached[module.number])
            if place is not None:
                message = "the state of a token is mixed into the next one, the first of a new document included"
                guards = trace.guards.get((module.number, place.lineno), ())
                yield Decision("DOC-BOUNDARY", WARN, message, module.number, place.lineno, guards)


def _blend(function: ast.FunctionDef, reached: set[int]) -> ast.stmt | None:
    """The reached statement that adds a weighted copy of a tensor from one position back."""
    back: set[str] = set()  # names of such copies
    for statement in _simple_statements(function):
        if statement.lineno not in reached:
            continue
        if isinstance(statement, ast.Assign) and _is_shifted(statement.value):
            back |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        for node in ast.walk(statement):
            sides = (node.left, node.right) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) else ()
            if any(_is_weighted(side, back) for side in sides):
                return statement
            if isinstance(node, ast.Call) and _name(node.func) == "lerp" and any(_is_back(a, back) for a in node.args):
                return statement
    return None


def _simple_statements(function: ast.FunctionDef) -> list[ast.stmt]:
    kinds = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)
    found = [node for node in ast.walk(function) if isinstance(node, kinds)]
    return sorted(found, key=lambda node: node.lineno)


def _is_weighted(node: ast.expr, back: set[str]) -> bool:
    """A product of a copy from one position back with a gate, which is no constant."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    factors = _factors(node)
    constant = any(isinstance(factor, ast.Constant) for factor in factors)
    return not constant and any(_is_back(factor, back) for factor in factors)


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _is_back(node: ast.expr, back: set[str]) -> bool:
    return (isinstance(node, ast.Name) and node.id in back) or _ends_one_early(node)


def _is_shifted(value: ast.expr) -> bool:
    """`cat([zeros, x[:, :-1]])`, `pad(x, ...)[:, :-1]`, `roll(x, 1)`."""
    if _ends_one_early(value):
        return True
    if not isinstance(value, ast.Call) or _name(value.func) not in _SHIFTS:
        return False
    if _name(value.func) == "roll":
        shift = value.args[1] if len(value.args) > 1 else None
        return isinstance(shift, ast.Constant) and shift.value == 1 and not _TOKENS.search(_name(value.args[0]))
    return any(_ends_one_early(node) for argument in value.args for node in ast.walk(argument))


def _ends_one_early(node: ast.AST) -> bool:
    """`x[:, :-1]` of a tensor that does not hold token ids."""
    if (
        not isinstance(node, ast.Subscript)
        or not isinstance(node.slice, ast.Tuple)
        or _TOKENS.search(_name(node.value))
    ):
        return False
    return any(
        isinstance(part, ast.Slice)
        and part.lower is None
        and isinstance(part.upper, ast.UnaryOp)
        and isinstance(part.upper.op, ast.USub)
        and isinstance(part.upper.operand, ast.Constant)
        and part.upper.operand.value == 1
        for part in node.slice.elts
    )


def _watches_boundaries(function: ast.FunctionDef) -> bool:
    """A name that speaks of documents or their start, or token ids compared with a constant."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute | ast.arg) and _BOUNDARY.search(_name(node)):
            return True
        compared = ast.walk(node.left) if isinstance(node, ast.Compare) and _is_constant(node.comparators) else ()
        if any(_TOKENS.search(_name(part)) for part in compared):
            return True
    return False


def _is_constant(nodes: list[ast.expr]) -> bool:
    return all(isinstance(node, ast.Constant) for node in nodes)


def _name(node: ast.AST) -> str:
    """Last part of a dotted name, empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) else ""
