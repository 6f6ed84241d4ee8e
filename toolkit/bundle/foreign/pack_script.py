"""Minify and pack a script that we did not write, with a proof at every step. Nothing of it is executed.

Phases: unpack, define, guards, strip, rename, print, prove, pack. See the module of that name for each.

A program is written in the smallest form that it cannot tell from its own file: minified, unless it reads its lines or
their numbers; in a stub, unless it reads the stack or the hook for exceptions, where a stub would show. The stub leaves
no name in a module that lists its names, and is ASCII where the program reads its own file.
"""

import ast
import contextlib
import gc
import hashlib
import math
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from toolkit.bundle.foreign.define import define
from toolkit.bundle.foreign.guards import Blocker, Caution, Reading, find_guards
from toolkit.bundle.foreign.strip import drop_unused, merge_imports, remove_notes
from toolkit.bundle.minify.csource import minify_c_sources
from toolkit.bundle.minify.equal import prove_equal_up_to_names
from toolkit.bundle.minify.printer import exact_text
from toolkit.bundle.minify.rename import rename
from toolkit.bundle.minify.shorten import shorten
from toolkit.bundle.pack.pack import Stub, pack
from toolkit.bundle.rewrite.scopes import find_bindings
from toolkit.errors import GolfError
from toolkit.syntax.unparse import copied, unparse
from toolkit.unpack.unpack import Unpacked, decode_source, parse_source, unpack

_MAX_BITS = int(sys.int_info.default_max_str_digits * math.log2(10))
MAX_PROGRAM_BYTES, MAX_NODES = 2 * 2**20, 250_000  # of source, and of syntax in it: more would take minutes
_NOT_ANEW = "--define: expected a program that can be written anew, found one whose text {}"
_UNWRITABLE = "cannot be written for Python 3.11: {}"
_NONE: frozenset[Caution] = frozenset()


@dataclass(frozen=True)
class PackedScript:
    """A foreign script, packed."""

    packed: bytes
    sha256: str  # of `packed`
    form: str  # what of it is in the file: "minified" or "text as it is", and whether "in a stub"
    layers: list[str]  # decoders that the script came in, empty for plain source
    source_bytes: int  # of the program inside, before minifying
    minified_bytes: int  # of the text that was packed
    dropped: list[str]  # top-level names that nothing used
    blockers: list[Blocker]  # what keeps the program as it is, and costs bytes; lines are those of the program inside
    assumed: list[Caution]  # kinds of caution that were left out at the user's word
    proven: list[str]  # what was shown of the steps, in their order


def pack_script(
    data: bytes,
    defines: Mapping[str, str] | None = None,
    encoding: str = "base85",
    assumed: Collection[Caution] = (),
) -> PackedScript:
    """Pack a script of any kind; one that packing would make longer is only minified. Deterministic.

    `assumed` are kinds of caution that the user vouches for. `GolfError` for a script that cannot be read or has no
    such setting as `defines` names, and where a step failed or did not keep the program: this would be a bug of ours,
    whose exception is the cause of the error.
    """
    unpacked = unpack(data, strict=False)
    if (source_bytes := len(unpacked.source.encode(errors="surrogatepass"))) > MAX_PROGRAM_BYTES:
        raise GolfError(f"script: expected at most {MAX_PROGRAM_BYTES} bytes of source, found {source_bytes}")
    try:
        with _without_garbage_collection(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python says of the script's source is its author's concern
            return _packed(data, unpacked, dict(defines or {}), encoding, frozenset(assumed))
    except GolfError:
        raise
    except (RecursionError, MemoryError):
        raise GolfError("script: expected Python source, found: nested too deeply") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise GolfError(f"script: expected steps that keep the program, found a bug of golf pack ({reason})") from error


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Trees have no cycles; looking for some takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _packed(
    data: bytes, unpacked: Unpacked, defines: dict[str, str], encoding: str, assumed: frozenset[Caution]
) -> PackedScript:
    tree = parse_source(unpacked.source)
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise GolfError(f"script: expected at most {MAX_NODES} nodes of syntax, found {len(nodes)}")
    if digits := [n for n in nodes if isinstance(n, ast.Constant) and _is_too_long(n.value)]:
        raise GolfError(
            f"script: expected numbers that Python can print, found a longer one in line {digits[0].lineno}"
        )
    check_compiles(tree)
    bindings = find_bindings(tree)
    if missing := unpacked.removed & {binding.name for binding in bindings if binding.scope is None}:
        raise GolfError(
            f"packed script: expected a program that does without its stub, found {min(missing)} of it in use"
        )
    guards = find_guards(tree, bindings, assumed)
    reading = guards.reading
    if defines:
        tree = _defined(tree, defines)
        reading = find_guards(tree, find_bindings(tree), assumed).reading
    if reading.own_file and encoding != "base85":
        encoding = _ascii(encoding)
    written = _written(unpacked.source, tree, reading, assumed)
    if defines and not written.is_minified:
        raise GolfError(_NOT_ANEW.format(written.reason))
    is_file = not (written.is_minified or unpacked.layers)
    candidates = list(_candidates(written.text, data if is_file else written.text.encode(), encoding, reading))
    if not candidates:
        raise GolfError("script: expected text that can stand in a file of its own, found another coding line in it")
    packed, is_stub = min(candidates, key=lambda candidate: len(candidate[0]))
    return PackedScript(
        packed=packed,
        sha256=hashlib.sha256(packed).hexdigest(),
        form=("minified" if written.is_minified else "text as it is") + (" in a stub" if is_stub else ""),
        layers=unpacked.layers,
        source_bytes=len(unpacked.source.encode()),
        minified_bytes=len(written.text.encode()),
        dropped=written.dropped,
        blockers=guards.blockers,
        assumed=sorted(assumed),
        proven=list(_proven(written, is_stub)),
    )


def _defined(tree: ast.Module, defines: dict[str, str]) -> ast.Module:
    try:
        return define(tree, defines)
    except ValueError as error:
        raise GolfError(_NOT_ANEW.format(_UNWRITABLE.format(error))) from None


@dataclass(frozen=True)
class _Written:
    """A program's text, minified or as it is for a reason."""

    text: str
    dropped: list[str]
    reason: str = ""

    @property
    def is_minified(self) -> bool:
        return not self.reason


def _written(source: str, tree: ast.Module, reading: Reading, assumed: frozenset[Caution]) -> _Written:
    if reading.lines:
        return _Written(source, [], "is read by lines or their numbers")
    try:
        return _Written(*minify_script(tree, assumed))
    except ValueError as error:
        return _Written(source, [], _UNWRITABLE.format(error))


def _ascii(encoding: str) -> str:
    """The encoding of a program that reads its own file, and may expect it to be UTF-8."""
    if encoding == "auto":
        return "base85"
    raise GolfError(f"--encoding {encoding}: expected a program that does not read its own file, found one; use base85")


def _candidates(text: str, plain: bytes, encoding: str, reading: Reading) -> Iterator[tuple[bytes, bool]]:
    """Scripts that run a program, and whether each is a stub. `plain` is the file without one."""
    if not reading.frames:
        yield pack(text, encoding, _stub_beside(text, reading.namespace)), True
    if decode_source(plain) == text:
        yield plain, False


def _stub_beside(text: str, is_listed: bool) -> Stub:
    """A stub that leaves nothing which a program could come upon. `is_listed`: it may list the names of its module."""
    tree = parse_source(text)
    if is_listed or any(isinstance(node, ast.alias) and node.name == "*" for node in ast.walk(tree)):
        return Stub(clean=True)
    return Stub(frozenset(b.name for b in find_bindings(tree) if b.scope is None or b.scope.parent is None))


def _proven(written: _Written, is_stub: bool) -> Iterator[str]:
    if written.is_minified:
        yield "notes: without docstrings and annotations that nobody reads, the program is the same up to names"
        if written.dropped:
            yield "dropped: nothing else mentions these names, and no other name is missing without them"
        yield "text: parsed again, it is the same program up to names, and each name still means the same"
    else:
        yield f"text: the one of the program, which {written.reason}"
    if is_stub:
        yield "stub: decoded without running it, it holds this very text"


def _is_too_long(value: object) -> bool:
    """Whether a number has more digits than Python prints (`sys.get_int_max_str_digits`)."""
    return isinstance(value, int) and value.bit_length() > _MAX_BITS


def check_compiles(tree: ast.Module) -> None:
    """`GolfError` for a tree that Python refuses after parsing, such as a `return` outside of a function."""
    try:
        compile(tree, "script", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise GolfError(f"script: expected Python source, found: {error.msg} in line {error.lineno}") from None
    except (RecursionError, MemoryError):
        raise GolfError("script: expected Python source, found: nested too deeply") from None
    except ValueError as error:
        raise GolfError(f"script: expected Python source, found: {error}") from None


def minify_script(tree: ast.Module, assumed: frozenset[Caution] = _NONE) -> tuple[str, list[str]]:
    """The smallest text of a program, proven equal, and the names that were dropped. The tree is used up.

    `ValueError` for an f-string or a number that this Python can read, but not write.
    """
    original = copied(tree)
    remove_notes(tree, assumed)
    prove_equal_up_to_names(original, tree)
    dropped = drop_unused(tree, assumed)
    minify_c_sources(tree, is_ours=False)
    remaining = copied(tree)
    merge_imports(tree)
    rename(tree, lambda bindings: find_guards(tree, bindings, assumed).for_renaming())
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
