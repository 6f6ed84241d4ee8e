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
from toolkit.bundle.minify.equal import NotEqual, prove_equal_up_to_names
from toolkit.bundle.minify.printer import exact_text
from toolkit.bundle.minify.rename import rename
from toolkit.bundle.minify.shorten import shorten
from toolkit.bundle.pack.pack import pack
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.errors import GolfError
from toolkit.syntax.unparse import copied, unparse
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

    `GolfError` for a script that cannot be read, has no such setting as `defines` names, or is one that a step would
    change.
    """
    unpacked = unpack(data)
    try:
        text, dropped, blockers = _minified(unpacked.source, defines)
        packed = min(pack(text, encoding), text.encode(), key=len)
    except (RecursionError, MemoryError):
        raise GolfError("script: expected Python source, found: nested too deeply") from None
    except (NotEqual, AssertionError, RuntimeError, SyntaxError, ValueError) as error:
        raise GolfError(f"script: cannot be packed: {_in_one_line(error)}; nothing was written") from None
    return PackedScript(
        packed=packed,
        sha256=hashlib.sha256(packed).hexdigest(),
        layers=unpacked.layers,
        source_bytes=len(unpacked.source.encode()),
        minified_bytes=len(text.encode()),
        dropped=dropped,
        blockers=blockers,
    )


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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

    `ValueError` for an f-string or a number that this Python can read, but not write.
    """
    original = copied(tree)
    remove_notes(tree)
    prove_equal_up_to_names(original, tree)
    dropped = drop_unused(tree)
    minify_c_sources(tree, is_ours=False)
    remaining = copied(tree)
    merge_imports(tree)
    rename(tree, lambda bindings: find_guards(tree, bindings).kept)
    text = print_tree(tree)
    prove_equal_up_to_names(remaining, ast.parse(text))
    return text, dropped


def print_tree(tree: ast.Module) -> str:
    """A program's shortest text, the same under every Python. The tree is used up."""
    shorten(tree)
    plain = ast.parse(unparse(tree))
    for node in ast.walk(plain):
        if isinstance(node, ast.Constant):
            node.kind = None  # the `u` of a string, which means nothing
    return exact_text(plain)
