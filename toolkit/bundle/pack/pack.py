"""A script that unpacks and runs itself: a searched compression, written down as text, and one `exec`.

Two encodings. `base85` is plain ASCII, which every tool and reviewer can handle: 25 % longer than the stream. `latin1`
writes the stream's bytes as characters under a coding cookie, with escapes for the few that a literal cannot hold: 1 to
2 % longer, but editors, diffs and web pages show it as noise, and a tool that rewrites the file as UTF-8 breaks it.

The program runs in the script's own module, so `__name__`, `__file__` and the environment are those of the script. Its
lines are registered with `linecache` under the script's own path: `inspect.getsource`, Triton and `torch.compile` find
them, and tracebacks show them without the stub's own frame. (Python before 3.13 prints uncaught exceptions without a
look at `linecache`, hence the hook.)
"""

import ast
import base64
from collections.abc import Callable, Iterator

from toolkit.bundle.pack.cache import cached
from toolkit.bundle.pack.compress import Stream, streams
from toolkit.errors import GolfError
from toolkit.folders import SCRIPT_NAME
from toolkit.unpack.unpack import unpack

_STUB = """\
{cookie}import {modules},traceback as t
s={module}.decompress({literal}{arguments}).decode()
t.sys.excepthook=lambda a,b,c:t.print_exception(a,b,c.tb_next)
t.linecache.cache[__file__]=0,None,s.splitlines(1),0
exec(compile(s,__file__,"exec"))"""


def pack(program: str, encoding: str = "base85") -> bytes:
    """The smallest script found that runs `program`, proven to hold that very text.

    `encoding` is one of `ENCODINGS`, or `auto` for the shorter one. Brotli is a candidate where the program imports it
    anyway. Raises `AssertionError` if a script does not hold the program, which would be a bug of ours.
    """
    if encoding not in (*ENCODINGS, "auto"):
        raise GolfError(f"encoding: expected one of {', '.join(ENCODINGS)}, auto, found {encoding!r}")
    compile(program, SCRIPT_NAME, "exec", dont_inherit=True)
    key = ["pack", encoding, program]
    script = cached(key, lambda: smallest_script(program, encoding).decode("latin-1")).encode("latin-1")
    prove_packed(script, program)
    return script


def smallest_script(program: str, encoding: str) -> bytes:
    chosen = ENCODINGS if encoding == "auto" else {encoding: ENCODINGS[encoding]}
    candidates = scripts(streams(program.encode(), imports_brotli(program)), list(chosen.values()))
    return min(candidates, key=lambda script: (len(script), script))


def prove_packed(script: bytes, program: str) -> None:
    """Raise unless a script decodes to a text and to a tree that are those of the program."""
    source = unpack(script).source
    if source != program:
        raise AssertionError("packing changed the program")
    if ast.dump(ast.parse(source)) != ast.dump(ast.parse(program)):
        raise AssertionError("packing changed the program's tree")


def imports_brotli(program: str) -> bool:
    """Whether a program cannot start without brotli, so that its stub may use it as well."""
    imports = (stmt for stmt in ast.parse(program).body if isinstance(stmt, ast.Import))
    return any(alias.name == "brotli" for stmt in imports for alias in stmt.names)


Encoder = Callable[[Stream], bytes]


def scripts(candidates: Iterator[Stream], encoders: list[Encoder]) -> Iterator[bytes]:
    """All scripts over the streams."""
    for stream in candidates:
        for encoder in encoders:
            yield encoder(stream)


def base85(stream: Stream) -> bytes:
    """A stub with a base85 literal."""
    literal = f'base64.b85decode("{base64.b85encode(stream.data).decode()}")'
    return _stub(stream, "", f"base64,{stream.module}", literal).encode()


def latin1(stream: Stream) -> bytes:
    """A stub with the stream's bytes as characters; in source a NUL is an error and a carriage return ends a line."""
    text = stream.data.decode("latin-1").replace("\\", r"\\").replace("\r", r"\r").replace("\0", r"\x00")
    text = text.replace('"""', r'\"""')
    if text.endswith('"'):
        text = text[:-1] + r"\""
    return _stub(stream, "#coding:l1\n", stream.module, f'"""{text}""".encode("l1")').encode("latin-1")


def _stub(stream: Stream, cookie: str, modules: str, literal: str) -> str:
    return _STUB.format(
        cookie=cookie, modules=modules, module=stream.module, literal=literal, arguments=stream.arguments
    )


ENCODINGS: dict[str, Encoder] = {"base85": base85, "latin1": latin1}
