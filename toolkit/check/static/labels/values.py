"""Abstract values of the analysed program: a constant if known, labels of where it comes from, and what it refers to.

A value is shared by all names bound to it, so that an in-place change (`loss_sum += x`, `table[k] = v`) is seen by
every holder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


class _Unknown:
    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final = _Unknown()

# Labels. Sources of data:
VAL = "val"  # read from validation shards
TRAIN = "train"  # read from training shards
PATH = "path"  # the name of data files, not what is in them
FILE = "file"  # read from any other file
CLOCK = "clock"  # read from a clock
# Roles of validation tokens:
TARGET = "target"  # the token being predicted
CONTEXT = "context"  # tokens before it
ITEM = "item"  # the current token of a walk over the stream
ROLES: Final = frozenset({TARGET, CONTEXT, ITEM})
REALISED: Final = frozenset({TARGET, ITEM})
MASK = "mask"  # outcome of a comparison
# What has been computed from them:
LOSS = "loss"  # a loss or probability of the realised token
STORED = "stored"  # read from a file after losses of tokens were written to one
SUMMED = "summed"  # a loss that is no longer per token
TOTAL = "total"  # a sum over anything else
COUNT = "count"  # read from a table by a key made of tokens
PAIR_SUM = "pair_sum"  # context and target added up, not yet hashed
PAIR_KEY = "pair_key"  # one hash of context and target
CONTROL = "control"  # assigned in a branch chosen by the target
PREFIX = "prefix"  # restricted to positions before a bound
LEAF = "leaf"  # a tensor created to be optimised
FIGURE = "figure"  # a line of text that speaks of bits per byte
# Labels with a place: "ratio@3:120" is file 3, line 120. See `sticky`.

NO_TAGS: Final[frozenset[str]] = frozenset()
MAX_REFS = 4
MAX_TAGS = 48


class Value:
    """One abstract value; `const` is UNKNOWN or a Python scalar, tuple or string; `refs` are heap objects it may be."""

    __slots__ = ("const", "refs", "tags")

    def __init__(self, const: object = UNKNOWN, tags: frozenset[str] = NO_TAGS, refs: tuple[object, ...] = ()) -> None:
        self.const = const
        self.tags = tags
        self.refs = refs

    @property
    def known(self) -> bool:
        return self.const is not UNKNOWN

    def add(self, tags: Iterable[str]) -> None:
        """Labels from an in-place change."""
        merged = self.tags.union(tags)
        if len(merged) <= MAX_TAGS:
            self.tags = merged

    def ref(self, kind: type) -> object | None:
        return next((r for r in self.refs if isinstance(r, kind)), None)


@dataclass(eq=False, slots=True)
class Scope:
    names: dict[str, Value]
    parent: Scope | None
    module: Module
    globals_: frozenset[str] = frozenset()
    nonlocals: frozenset[str] = frozenset()

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def owner(self, name: str) -> Scope:
        """The scope that an assignment to `name` changes."""
        if name in self.globals_:
            return self.module.scope
        if name in self.nonlocals:
            scope = self.parent
            while scope is not None:
                if name in scope.names:
                    return scope
                scope = scope.parent
        return self


@dataclass(eq=False, slots=True)
class Module:
    """A file under analysis."""

    name: str
    path: str
    number: int
    tree: ast.Module
    scope: Scope = field(init=False)
    done: bool = False

    def __post_init__(self) -> None:
        self.scope = Scope({}, None, self)


@dataclass(eq=False, slots=True)
class Function:
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: dict[str, Value]
    decorators: frozenset[str] = frozenset()
    owner: Class | None = None

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "<lambda>")


@dataclass(eq=False, slots=True)
class Class:
    name: str
    bases: list[Value]
    names: dict[str, Value]
    fields: list[str]

    def lineage(self) -> list[Class]:
        """The class and its ancestors written in the program, nearest first."""
        found: list[Class] = []
        todo = [self]
        while todo and len(found) < 32:
            cls = todo.pop(0)
            if cls not in found:
                found.append(cls)
                todo.extend(r for base in cls.bases for r in base.refs if isinstance(r, Class))
        return found

    def outside_bases(self) -> str:
        return " ".join(
            r.name for cls in self.lineage() for base in cls.bases for r in base.refs if isinstance(r, External)
        )

    def find(self, name: str) -> tuple[Value, Class] | None:
        return next(((cls.names[name], cls) for cls in self.lineage() if name in cls.names), None)


@dataclass(eq=False, slots=True)
class Instance:
    cls: Class
    attributes: dict[str, Value]
    tag: str | None = None


@dataclass(eq=False, slots=True)
class Bound:
    """A function with leading arguments given: a method, or functools.partial."""

    function: Value
    arguments: list[Value]
    keywords: dict[str, Value] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class External:
    """A name of a library, dotted; `receiver` is the value a method was taken from."""

    name: str
    receiver: Value | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of something outside of the program."""

    callee: External
    arguments: list[Value]
    keywords: dict[str, Value]
    node: ast.AST
    name: str  # the last part of the callee's
    tags: frozenset[str]  # of all that goes in

    @classmethod
    def of(cls, callee: External, arguments: list[Value], keywords: dict[str, Value], node: ast.AST) -> Call:
        tags = data_tags(callee.receiver, *arguments, *keywords.values())
        return cls(callee, arguments, keywords, node, callee.name.rsplit(".", 1)[-1], tags)

    @property
    def receiver(self) -> Value | None:
        return self.callee.receiver

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 0)

    def everything(self) -> list[Value]:
        """The receiver, if there is one, and all arguments."""
        return [*([self.receiver] if self.receiver is not None else []), *self.arguments, *self.keywords.values()]


@dataclass(eq=False, slots=True)
class Sequence:
    items: list[Value] | None  # None: number and order unknown
    rest: Value


@dataclass(eq=False, slots=True)
class Mapping:
    entries: dict[object, Value]
    rest: Value
    exact: bool = True
    splits: dict[str, Value] = field(default_factory=dict)  # values kept by the path of a split's file


@dataclass(eq=False, slots=True)
class Array:
    """A table or tensor created in the program; what it holds is in the labels of its value."""

    number: int


@dataclass(eq=False, slots=True)
class Super:
    cls: Class
    instance: Value


def data_tags(*values: Value | None) -> frozenset[str]:
    """Union of labels, without those that speak only about constants (settings)."""
    merged: set[str] = set()
    for value in values:
        if value is not None:
            merged |= value.tags
    if len(merged) > MAX_TAGS:
        merged = {t for t in merged if not t.startswith(("cut:", "cfg:"))}
    return frozenset(t for t in merged if not t.startswith("cfg:"))


def sequence(items: list[Value], *, exact: bool = True) -> Value:
    """A list or tuple of known items."""
    rest = Value(UNKNOWN, data_tags(*items), tuple(dict.fromkeys(r for i in items for r in i.refs))[:MAX_REFS])
    return Value(UNKNOWN, rest.tags, (Sequence(items if exact else None, rest),))


def split_of(key: Value) -> str:
    """The split whose file a path names, or ""."""
    named = key.tags & {VAL, TRAIN}
    return next(iter(named)) if PATH in key.tags and len(named) == 1 else ""


def join(a: Value, b: Value) -> Value:
    """What a name holds where two paths meet."""
    if a is b:
        return a
    same = a.known and b.known and type(a.const) is type(b.const) and a.const == b.const
    refs = tuple(dict.fromkeys(a.refs + b.refs))[:MAX_REFS]
    return Value(a.const if same else UNKNOWN, a.tags | b.tags, refs)


def sticky(kind: str, module: Module, line: int) -> str:
    return f"{kind}@{module.number}:{line}"


def places(tags: Iterable[str], kind: str) -> list[tuple[int, int]]:
    """(file number, line) of every label of this kind, sorted."""
    found = []
    for tag in tags:
        if tag.startswith(kind + "@"):
            number, line = tag[len(kind) + 1 :].split(":")
            found.append((int(number), int(line)))
    return sorted(found)
