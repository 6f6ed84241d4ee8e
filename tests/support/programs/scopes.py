"""Scopes of the programs in `program.py`: which names may be read where, and what calls must know.

Names come from small pools that scopes share: they shadow one another, and some are as short as those that the packer
gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

VARIABLES = ("total", "count", "value", "a", "e", "index", "t", "size_of")  # e, t and a are the first short names
FUNCTIONS = ("compute", "apply_to", "helper", "f", "B", "outer", "value")
CLASSES = ("Shape", "Point", "C", "Record")
OBJECTS = ("thing", "o", "shape")
ATTRIBUTES = ("value", "width", "total", "__hidden", "a")
METHODS = ("compute", "area", "helper", "__secret")
MAX_RANK = 3  # functions that call functions that call ...


@dataclass
class Signature:
    """Parameters of something to call, with what is read of its result: `{}` is the call."""

    positional: list[tuple[str, bool]]  # name, and whether it has a default
    keyword_only: list[tuple[str, bool]] = field(default_factory=list)
    num_positional_only: int = 0
    star: bool = False
    mapping: bool = False
    result: str = "{}"
    rank: int = 0


@dataclass
class Scope:
    kind: str  # module, function, comprehension or class
    parent: Scope | None = None
    own: set[str] = field(default_factory=set)  # names that belong to it, bound by now or not
    declared: set[str] = field(default_factory=set)  # those that are global or nonlocal
    numbers: set[str] = field(default_factory=set)
    callables: dict[str, Signature] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    in_methods: dict[str, Signature] = field(default_factory=dict)  # of a class, what its methods can call
    rank: int = 0  # of a function: one more than what it calls

    @property
    def module(self) -> Scope:
        return self.parent.module if self.parent else self

    def chain(self) -> Iterator[tuple[Scope, set[str]]]:
        """Scopes that a name is looked up in, each with the names that a nearer one hides."""
        hidden: set[str] = set()
        scope: Scope | None = self
        while scope:
            if scope is self or scope.kind != "class":
                # What a class body binds later is looked up among globals until then.
                unbound = scope.own - scope.numbers - scope.callables.keys() if scope.kind == "class" else set()
                yield scope, hidden
                hidden = hidden | scope.own - unbound
                if unbound and scope.parent and scope.parent.kind != "module":
                    hidden = hidden | unbound  # a function between may have it, and would not be asked
            scope = scope.parent

    def visible_numbers(self) -> list[str]:
        return sorted({name for scope, hidden in self.chain() for name in scope.numbers - hidden})

    def visible_callables(self) -> dict[str, Signature]:
        found: dict[str, Signature] = {}
        for scope, hidden in self.chain():
            found |= {n: s for n, s in scope.callables.items() if n.split(".")[0] not in hidden and n not in found}
        return dict(sorted(found.items()))

    def bind(self, name: str) -> None:
        self.own.add(name)
        self.numbers.add(name)
        self.callables.pop(name, None)

    def bind_callable(self, name: str, signature: Signature) -> None:
        self.own.add(name)
        self.numbers.discard(name)
        self.callables[name] = signature
