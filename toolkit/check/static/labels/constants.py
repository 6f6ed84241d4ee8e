"""Folding of constants, with limits so that hostile expressions cannot grow."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from toolkit.check.static.labels.values import NO_TAGS, PATH, TRAIN, UNKNOWN, VAL
from toolkit.syntax.constants import BINARY, COMPARE, MAX_BITS, PURE_BUILTINS, UNARY

MAX_TEXT = 10_000  # more than the bundler's: scripts hold whole sources as text

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
# `sum` and `tuple` stay calls: labels go their own way through them.
_BUILTINS = {name: PURE_BUILTINS[name] for name in ("int", "float", "str", "bool", "abs", "round", "min", "max", "len")}


def _small(value: object) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= MAX_BITS
    if isinstance(value, str | bytes | tuple):
        return len(value) <= MAX_TEXT
    return True


def _folds(op: ast.operator, a: object, b: object) -> bool:
    """Is it one of the operations that are followed? Powers and shifts are while they cannot grow, texts only join."""
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    match op:
        case ast.Pow():
            return numbers and abs(b) <= 64 and _small(a)  # type: ignore[arg-type]
        case ast.LShift():
            return isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64 and _small(a)
        case ast.Mult():
            return numbers
        case ast.Mod():
            return not isinstance(a, str | bytes)
        case ast.RShift() | ast.MatMult():
            return False
    return True


def fold_binary(op: ast.operator, a: object, b: object) -> object:
    """The constant of `a op b`, or UNKNOWN."""
    if not _folds(op, a, b):
        return UNKNOWN
    try:
        result = BINARY[type(op)](a, b)
    except (TypeError, ValueError, ArithmeticError):
        return UNKNOWN
    return result if _small(result) and not isinstance(result, complex) else UNKNOWN


def fold_compare(op: ast.cmpop, a: object, b: object) -> object:
    """The outcome of a comparison, or UNKNOWN; of identity only the caller can know."""
    try:
        return COMPARE[type(op)](a, b)
    except TypeError:
        return UNKNOWN


def fold_unary(op: ast.unaryop, a: object) -> object:
    try:
        return UNARY[type(op)](a)
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
        if name == "int" and arguments and arguments[0] in ("True", "False"):  # a flag that the log shows so
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
