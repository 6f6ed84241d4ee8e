"""Short names for a whole program, chosen so that equal code looks equal and compresses well.

Globals become upper-case letters, most used first; locals become lower-case letters in the order in which a function
first mentions them, so that functions of the same shape get the same text (2 to 4 % smaller after LZMA than naming all
by frequency). Attributes, strings and keyword names stay: nothing that reaches a log, an artifact or the environment
can change.

A parameter keeps its name if some call may pass it by keyword. This relies on seeing every call: foreign code may call
our functions by position only, which holds for torch as long as no hook of its own is overridden.
"""

import ast
import itertools
import keyword
import string
from collections.abc import Callable, Iterator
from typing import NamedTuple

from toolkit.bundle.rewrite.scopes import Binding, Scope, find_bindings
from toolkit.bundle.rewrite.signatures import named_parameters
from toolkit.syntax.standard import BUILTINS

LOCAL_LETTERS = "etanoisrlcdpmufbhvgkxywzjq"  # by frequency in English text: the strings and attributes use them too
GLOBAL_LETTERS = string.ascii_uppercase + "_" + LOCAL_LETTERS[::-1]  # those that locals need least come first
_AS = len(" as x") + 1  # what an import pays for another name


class Kept(NamedTuple):
    """What renaming leaves alone."""

    bindings: set[Binding]  # these keep their names
    names: set[str]  # nothing else gets these names


def rename(tree: ast.Module, kept: Callable[[list[Binding]], Kept] = lambda bindings: Kept(set(), set())) -> None:
    """Rename in place, apart from what `kept` picks, given all bindings.

    Raises `AssertionError` if a name would then mean something else anywhere.
    """
    bindings = find_bindings(tree)
    meanings = _meanings(bindings)
    named = named_parameters(tree, bindings)
    taken: dict[int, set[str]] = {}  # scope -> names in use there
    fixed, reserved = kept(bindings)
    free = {binding for binding in bindings if binding not in fixed and is_renamable(binding, named)}
    for binding in bindings:
        if binding not in free:
            reserve(binding, binding.name, taken)
    top = [binding for binding in bindings if binding in free and binding.scope and binding.scope.parent is None]
    inner = [binding for binding in bindings if binding in free and binding.scope and binding.scope.parent is not None]
    top.sort(key=lambda binding: -len(binding.mentions))
    for group, letters in ((top, GLOBAL_LETTERS), (inner, LOCAL_LETTERS)):
        open_names: dict[Scope | None, _OpenNames] = {}
        for binding in group:
            reached = set(reached_scopes(binding))
            open_here = _OpenNames(name for name in short_names(letters) if name not in reserved)
            names = open_names.setdefault(binding.scope, open_here)
            used = taken.setdefault(id(binding.scope), set())
            name = next(name for name in names.without(used) if is_free(name, reached, taken))
            pays = len(binding.mentions) * (len(binding.name) - len(name)) >= import_cost(binding)
            if not pays and is_free(binding.name, reached, taken):
                name = binding.name
            reserve(binding, name, taken)
            binding.rename(name)
    if _meanings(find_bindings(tree)) != meanings:
        raise AssertionError("renaming changed what a name means")


class _OpenNames:
    """Names in order of preference that a scope has not used up yet: a large module has thousands in use."""

    def __init__(self, names: Iterator[str]) -> None:
        self.rest = names
        self.seen: list[str] = []

    def without(self, used: set[str]) -> Iterator[str]:
        """All names but those that the scope has used, which are forgotten."""
        self.seen = [name for name in self.seen if name not in used]
        yield from list(self.seen)
        for name in self.rest:
            self.seen.append(name)
            if name not in used:
                yield name


def _meanings(bindings: list[Binding]) -> list[tuple[object, ...]]:
    """Which mentions share a meaning, and in which scope it lives."""
    return [
        (binding.scope and binding.scope.node, *((m.node, m.field, m.index) for m in binding.mentions))
        for binding in bindings
    ]


def short_names(letters: str) -> Iterator[str]:
    """One-character names, the given ones first, then longer ones; no keywords and no builtins."""
    yield from letters
    yield from (c for c in string.ascii_letters + "_" if c not in letters)
    for length in itertools.count(2):
        for characters in itertools.product(LOCAL_LETTERS, repeat=length):
            name = "".join(characters)
            if not keyword.iskeyword(name) and name not in BUILTINS:
                yield name


def is_renamable(binding: Binding, named: dict[ast.arg, bool]) -> bool:
    if binding.scope is None or isinstance(binding.scope.node, ast.ClassDef) or binding.is_fixed:
        return False
    if binding.name.startswith("__") or binding.name == "super":  # the compiler knows these by their text
        return False
    if binding.scope.parent is None and binding.name in BUILTINS:  # the builtin, before it is bound and once deleted
        return False
    for mention in binding.mentions:
        if named.get(mention.node, False):
            return False
        if isinstance(mention.node, ast.alias) and mention.node.asname is None and "." in mention.node.name:
            return False
    return True


def import_cost(binding: Binding) -> int:
    """Characters that another name costs where an import binds it."""
    aliases = [mention.node for mention in binding.mentions if isinstance(mention.node, ast.alias)]
    return sum(_AS for alias in aliases if alias.asname is None)


def reached_scopes(binding: Binding) -> Iterator[int]:
    """Scopes in which the name must mean this binding: those of its mentions and all around them up to its own."""
    for mention in binding.mentions:
        scope: Scope | None = mention.scope
        while scope is not None and scope is not binding.scope:
            yield id(scope)
            scope = scope.parent
    if binding.scope:
        yield id(binding.scope)


def is_free(name: str, reached: set[int], taken: dict[int, set[str]]) -> bool:
    """Whether no other binding has a name in any of the scopes."""
    return all(name not in taken.get(scope, ()) for scope in reached)


def reserve(binding: Binding, name: str, taken: dict[int, set[str]]) -> None:
    for scope in reached_scopes(binding):
        taken.setdefault(scope, set()).add(name)
