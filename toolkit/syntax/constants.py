"""Constant expressions: what they evaluate to, and how a value is written back as source.

Covers numbers, strings, bytes, booleans, None and tuples of them, under the operators, comparisons, conditional
expressions, f-strings and a few pure builtins. Anything else is no constant: names, calls with effects, lists, sets and
dicts (they have identity), results that no literal can write (inf, nan) or that would be absurdly large.
"""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

PURE_BUILTINS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (abs, bool, float, int, len, max, min, round, str, sum, tuple)
}
MAX_BITS = 256  # of an integer result
MAX_ITEMS = 4096  # of a string or tuple result

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: _same_singleton(a, b),
    ast.IsNot: lambda a, b: not _same_singleton(a, b),
}
_CONVERSIONS: dict[int, Callable[[Any], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}


class NotConstant(Exception):
    """The value of the expression is not known before the program runs."""


def evaluate(node: ast.expr, shadowed: frozenset[str] = frozenset()) -> Any:
    """Value of a constant expression; `NotConstant` for anything else, and for one that raises.

    `shadowed` are names that the program binds itself, so that its own `max` is not taken for the builtin.
    """
    try:
        return _checked(_evaluate(node, shadowed))
    except NotConstant:
        raise
    except Exception as error:  # the expression itself raises: it must go on to do so when the program runs
        raise NotConstant(str(error)) from None


def is_literal_value(value: object) -> bool:
    """Whether `literal` can write the value."""
    if isinstance(value, tuple):
        return all(is_literal_value(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str, bytes)


def literal(value: object) -> str:
    """Source of a value, with double quotes where it has strings; evaluates to exactly that value."""
    if isinstance(value, tuple):
        return "(" + ", ".join(literal(item) for item in value) + (",)" if len(value) == 1 else ")")
    text = repr(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in text and "\\'" not in text:
        text = f'"{text[1:-1]}"'
    return text


def is_literal(node: ast.expr) -> bool:
    """Whether the expression is written as a literal already, so that there is nothing left to fold."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant) and _is_number(node.operand)
    if isinstance(node, ast.Tuple):
        return all(is_literal(item) for item in node.elts)
    return isinstance(node, ast.Constant)


def is_flag(node: ast.expr) -> bool:
    """Whether the expression is True, False or None."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _is_number(node: ast.Constant) -> bool:
    return type(node.value) in (int, float)


def _same_singleton(a: object, b: object) -> bool:
    if not any(x is None or isinstance(x, bool) for x in (a, b)):
        raise NotConstant("identity of objects that are no singletons")
    return a is b


def _checked(value: Any) -> Any:
    if not is_literal_value(value):
        raise NotConstant(f"no literal can write {type(value).__name__}")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise NotConstant("too large")
    if isinstance(value, (str, bytes, tuple)) and len(value) > MAX_ITEMS:
        raise NotConstant("too long")
    return value


def apply_binary(op: ast.operator, left: Any, right: Any) -> Any:
    """Apply an operator, refusing work that would take long before `_checked` could refuse its result."""
    if isinstance(op, (ast.Pow, ast.LShift)) and isinstance(right, int) and abs(right) > MAX_BITS:
        raise NotConstant("too large")
    if isinstance(op, ast.Mult) and isinstance(left, int) != isinstance(right, int):
        count, items = (left, right) if isinstance(left, int) else (right, left)
        if not isinstance(items, float) and count * len(items) > MAX_ITEMS:
            raise NotConstant("too long")
    if isinstance(op, ast.Mod) and isinstance(left, (str, bytes)):
        raise NotConstant("printf-style formatting")
    return BINARY[type(op)](left, right)


def _evaluate(node: ast.expr, shadowed: frozenset[str]) -> Any:
    def value(child: ast.expr) -> Any:
        return _checked(_evaluate(child, shadowed))

    match node:
        case ast.Constant(value=constant):
            return constant
        case ast.Tuple(elts=items):
            return tuple(value(item) for item in items)
        case ast.UnaryOp(op=unary, operand=operand):
            return UNARY[type(unary)](value(operand))
        case ast.BinOp(left=left, op=binary, right=right):
            return apply_binary(binary, value(left), value(right))
        case ast.BoolOp(op=op, values=values):
            for item in values:
                result = value(item)
                if bool(result) == isinstance(op, ast.Or):
                    break
            return result
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return value(body if value(test) else orelse)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(value(left), ops, comparators, value)
        case ast.Subscript(value=container, slice=index) if not isinstance(index, ast.Slice):
            return value(container)[value(index)]
        case ast.JoinedStr(values=pieces):
            return "".join(_format(piece, value) for piece in pieces)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in PURE_BUILTINS.keys() - shadowed:
            result = PURE_BUILTINS[name](*(value(arg) for arg in args))
            if name == "sum" and isinstance(result, float):
                raise NotConstant("a sum of floats, which rounds in another way from Python 3.12 on")
            return result
    raise NotConstant(type(node).__name__)


def _compare(left: Any, ops: list[ast.cmpop], nodes: list[ast.expr], value: Callable[[ast.expr], Any]) -> bool:
    for op, node in zip(ops, nodes, strict=True):
        # A list or set has identity, but on the right of `in` only its items count.
        in_display = isinstance(op, (ast.In, ast.NotIn)) and isinstance(node, (ast.List, ast.Set))
        right = tuple(value(item) for item in node.elts) if in_display else value(node)  # type: ignore[attr-defined]
        if not COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _format(piece: ast.expr, value: Callable[[ast.expr], Any]) -> str:
    if isinstance(piece, ast.FormattedValue):
        inner = value(piece.value)
        if piece.conversion in _CONVERSIONS:
            inner = _CONVERSIONS[piece.conversion](inner)
        return format(inner, value(piece.format_spec) if piece.format_spec else "")
    return str(value(piece))
