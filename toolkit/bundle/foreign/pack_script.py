"""Minify and pack a script that we did not write, with a proof at every step. Nothing of it is executed.

Phases: unpack, define, strip, rename under guards, print, prove, pack. See the module of that name for each.
"""

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.bundle.foreign.define import define
from toolkit.bundle.foreign.guards import Blocker, find_guards
from toolkit.bundle.foreign.strip import drop_unused, merge_imports, remove_notes
from toolkit.bundle.minify.csource import minify_c_sources
from toolkit.bundle.minify.equal import prove_equal_up_to_names
from toolkit.bundle.minify.printer import shortest_text
from toolkit.bundle.minify.rename import rename
from toolkit.bundle.pack.pack import pack
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.errors import GolfError
from toolkit.syntax.unparse import copied
from toolkit.unpack.unpack import parse_source, unpack


@dataclass(frozen=True)
class PackedScript:
    """A foreign script, packed."""

    packed: bytes
    sha256: str  # of `packed`
    layers: list[str]  # decoders that the script came in, empty for plain source
    source_bytes: int  # of the program inside, before minifying
    minified_bytes: int
    dropped: list[str]  # top-level names that nothing used
    blockers: list[Blocker]  # what keeps names from being shortened; lines are those of the program inside


def pack_script(data: bytes, defines: Mapping[str, str] | None = None, encoding: str = "base85") -> PackedScript:
    """Pack a script of any kind; one that packing would make longer is only minified. Deterministic.

    `GolfError` for a script that cannot be read or has no such setting as `defines` names. `NotEqual` or
    `AssertionError` where a step changed the program, which is a bug of ours.
    """
    unpacked = unpack(data)
    try:
        text, dropped, blockers = _minified(unpacked.source, defines)
    except RecursionError:
        raise GolfError("script: expected Python source, found: nested too deeply") from None
    packed = min(pack(text, encoding), text.encode(), key=len)
    return PackedScript(
        packed=packed,
        sha256=hashlib.sha256(packed).hexdigest(),
        layers=unpacked.layers,
        source_bytes=len(unpacked.source.encode()),
        minified_bytes=len(text.encode()),
        dropped=dropped,
        blockers=blockers,
    )


def _minified(source: str, defines: Mapping[str, str] | None) -> tuple[str, list[str], list[Blocker]]:
    tree = parse_source(source)
    check_compiles(tree)
    blockers = find_guards(tree, find_bindings(tree)).blockers
    if defines:
        tree = define(tree, defines)
    return *minify_script(tree), blockers


def check_compiles(tree: ast.Module) -> None:
    """`GolfError` for a tree that Python refuses after parsing, such as a `return` outside of a function."""
    try:
        compile(tree, "script", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise GolfError(f"script: expected Python source, found: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise GolfError(f"script: expected Python source, found: {error or type(error).__name__}") from None


def minify_script(tree: ast.Module) -> tuple[str, list[str]]:
    """The smallest text of a program, proven equal, and the names that were dropped. The tree is used up.

    `GolfError` for an f-string that this Python can read, but not write.
    """
    original = copied(tree)
    remove_notes(tree)
    prove_equal_up_to_names(original, tree)
    dropped = drop_unused(tree)
    minify_c_sources(tree)
    remaining = copied(tree)
    merge_imports(tree)
    rename(tree, lambda bindings: find_guards(tree, bindings).kept)
    try:
        text = print_tree(tree)
    except ValueError as error:  # a backslash inside an f-string
        raise GolfError(f"script: expected f-strings that Python before 3.12 can write, found: {error}") from None
    prove_equal_up_to_names(remaining, ast.parse(text))
    return text, dropped


def print_tree(tree: ast.Module) -> str:
    """A program's shortest text: what changes the tree, hoists literals or guesses at names is turned off."""
    return shortest_text(
        tree,
        rename_locals=False,
        hoist_literals=False,
        combine_imports=False,
        remove_annotations=False,
        remove_object_base=False,
        convert_posargs_to_args=False,
        preserve_shebang=False,
        remove_explicit_return_none=False,
        remove_builtin_exception_brackets=False,
    )
