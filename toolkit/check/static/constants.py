"""Folding of constants, with limits so that hostile expressions cannot grow."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import lru_cache

from toolkit.check.static.values import NO_TAGS, PATH, TRAIN, UNKNOWN, VAL

MAX_INT_BITS = 256
MAX_TEXT = 10_000

_BINARY: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARE: dict[type, Callable] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_METHODS = {
    "lower",
    "upper",
    "strip",
    "lstrip",
    "rstrip",
    "startswith",
    "endswith",
    "replace",
    "title",
    "isdigit",
    "encode",
    "join",
}
_BUILTINS: dict[str, Callable] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
    "len": len,
}


def _small(value: object) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= MAX_INT_BITS
    if isinstance(value, str | bytes | tuple):
        return len(value) <= MAX_TEXT
    return True


def fold_binary(op: ast.operator, a: object, b: object) -> object:
    """The constant of `a op b`, or UNKNOWN."""
    try:
        if (
            isinstance(op, ast.Pow)
            and isinstance(a, int | float)
            and isinstance(b, int | float)
            and abs(b) <= 64
            and _small(a)
        ):
            result = a**b
        elif isinstance(op, ast.LShift) and isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64 and _small(a):
            result = a << b
        elif (isinstance(op, ast.Mult) and not (isinstance(a, int | float) and isinstance(b, int | float))) or (
            isinstance(op, ast.Mod) and isinstance(a, str | bytes)
        ):
            return UNKNOWN
        elif type(op) in _BINARY:
            result = _BINARY[type(op)](a, b)
        else:
            return UNKNOWN
    except (TypeError, ValueError, ArithmeticError):
        return UNKNOWN
    return result if _small(result) and not isinstance(result, complex) else UNKNOWN


def fold_compare(op: ast.cmpop, a: object, b: object) -> object:
    try:
        return _COMPARE[type(op)](a, b) if type(op) in _COMPARE else UNKNOWN
    except TypeError:
        return UNKNOWN


def fold_unary(op: ast.unaryop, a: object) -> object:
    try:
        if isinstance(op, ast.Not):
            return not a
        if isinstance(op, ast.USub):
            return -a  # type: ignore[operator]
        return ~a if isinstance(op, ast.Invert) else +a  # type: ignore[operator]
    except TypeError:
        return UNKNOWN


def fold_method(receiver: object, name: str, arguments: list[object]) -> object:
    """A method of a constant string; `split` gives a tuple."""
    if not isinstance(receiver, str | bytes) or len(arguments) > 2:
        return UNKNOWN
    try:
        if name in ("split", "splitlines"):
            return tuple(getattr(receiver, name)(*arguments))
        if name in _METHODS:
            result = getattr(receiver, name)(*arguments)
            return result if _small(result) else UNKNOWN
    except (TypeError, ValueError, MemoryError):
        pass
    return UNKNOWN


def fold_builtin(name: str, arguments: list[object]) -> object:
    if name not in _BUILTINS or len(arguments) > 4:
        return UNKNOWN
    try:
        if (
            name in ("int", "bool")
            and arguments
            and isinstance(arguments[0], str)
            and arguments[0] in ("True", "False")
            and name == "int"
        ):
            return int(arguments[0] == "True")
        result = _BUILTINS[name](*arguments)
    except (TypeError, ValueError, ArithmeticError):
        return UNKNOWN
    return result if _small(result) else UNKNOWN


_SPLIT_OF_DATA = r"(?:^|[^a-zA-Z]){}(?:idation|ing)?(?:$|[^a-zA-Z].*(?:\*|\.bin|\.npy|\.pt$)|\*|\.bin)"
_VAL = re.compile(_SPLIT_OF_DATA.format("val"))
_TRAIN = re.compile(_SPLIT_OF_DATA.format("train"))


@lru_cache(maxsize=4096)
def text_tags(text: str) -> frozenset[str]:
    """Labels of a string that names data files: a shard pattern or path of a split."""
    if len(text) > 300 or any(c in text for c in "\n =:(<,"):
        return NO_TAGS
    tags = set()
    if _VAL.search(text):
        tags.add(VAL)
    elif _TRAIN.search(text):
        tags.add(TRAIN)
    return frozenset(tags | {PATH}) if tags else NO_TAGS
