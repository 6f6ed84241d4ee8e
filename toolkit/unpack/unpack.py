"""What a packed script contains, found without running any of it.

A stub is a script whose top level hands the result of decoders to `exec` or `eval`, or writes it to a file that it then
runs. Its literals are decoded here by the same standard codecs, under limits: nothing of the script is executed,
imported or looked up.

Covers lzma (xz, .lzma and raw with literal filters), zlib, gzip, bz2 and brotli over base85, ascii85, base64, base32,
base16, latin-1 text and raw bytes literals; literals in one or many pieces, in variables, under any import alias,
through `compile`, `.encode`, `.decode`, `.replace`, `.join`, slices and `+`; stubs inside stubs; statements around the
`exec`, which stay in place. Not covered: payloads in other files, code objects (`marshal`), decoders written in Python,
and whatever `exec` does inside functions.
"""

import ast
import io
import textwrap
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import GolfError
from toolkit.syntax.parse import NotReadable, parse
from toolkit.unpack.stubs import Stub, read_stub

MAX_INPUT_BYTES = 64 * 2**20
MAX_LAYERS = 16
_ASCII = bytes(range(128))


@dataclass(frozen=True)
class Unpacked:
    """`source` is the innermost program; `layers` names the decoders from the outside in, empty for plain source."""

    source: str
    layers: list[str]
    removed: frozenset[str] = field(default=frozenset(), compare=False)  # names that stubs bound on their way to it


def read_script(path: Path) -> bytes:
    """A script's bytes; `GolfError` before reading one that is too large."""
    with path.open("rb") as file:  # whose size is not known beforehand where it is a pipe
        data = file.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise GolfError(f"{path}: expected at most {MAX_INPUT_BYTES} bytes, found more")
    return data


def unpack(data: bytes, strict: bool = True) -> Unpacked:
    """Read a script of any kind; `GolfError` for one that exceeds a limit, is no Python, or cannot be decoded.

    What an `exec` at the top level runs must be known, so that nothing of the program stays unseen. Unless `strict`,
    one that no decoder has to do with is a statement of the program like any other.
    """
    layers: list[str] = []
    removed: set[str] = set()
    source = decode_source(data)
    tree: ast.Module | None = parse_source(source)
    while tree and (stub := read_stub(tree.body, strict)):
        source = _source_around(stub, source)
        layers.append(" + ".join(stub.decoders))
        removed |= stub.removed
        if len(layers) > MAX_LAYERS:
            raise GolfError(f"packed script: expected at most {MAX_LAYERS} stubs inside each other, found more")
        tree = _tree_or_none(source)
    return Unpacked(source, layers, frozenset(removed))


def decode_source(data: bytes) -> str:
    """Source text of a script's bytes by its coding cookie, UTF-8 by default."""
    if len(data) > MAX_INPUT_BYTES:
        raise GolfError(f"script: expected at most {MAX_INPUT_BYTES} bytes, found {len(data)}")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if _ASCII.decode(encoding) != _ASCII.decode():
            raise LookupError(f"{encoding}, which does not contain ASCII")
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise GolfError(f"script: expected Python source, found: {error}") from None


def parse_source(source: str) -> ast.Module:
    """The tree of untrusted source; `GolfError` for what is no Python."""
    try:
        return parse(source)
    except NotReadable as error:
        raise GolfError(f"script: expected Python source, found: {error}") from None


def _tree_or_none(source: str) -> ast.Module | None:
    """None for what this Python cannot parse: a packed program may need a newer one, and is no stub then."""
    try:
        return parse_source(source)
    except GolfError:
        return None


def _source_around(stub: Stub, source: str) -> str:
    """The packed program in the place of the statement that runs it, among those statements that stay."""
    lines = source.split("\n")
    pieces = []
    for piece in stub.pieces:
        if isinstance(piece, ast.stmt):
            pieces.append(textwrap.dedent("\n".join(lines[piece.lineno - 1 : piece.end_lineno])).rstrip())
        else:
            pieces.append(decode_source(piece) if isinstance(piece, bytes) else _with_newlines(piece))
    return "\n".join(pieces)


def _with_newlines(text: str) -> str:
    """Text with the ends of lines that Python reads it with."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
