"""A script that unpacks and runs itself: a searched compression, written down as text, and one `exec`.

Two encodings. `base85` is plain ASCII, which every tool and reviewer can handle: 25 % longer than the stream. `latin1`
writes the stream's bytes as characters under a coding cookie, with escapes for the few that a literal cannot hold: 1 to
2 % longer, but editors, diffs and web pages show it as noise, and a tool that rewrites the file as UTF-8 breaks it.

The program runs in the script's own module, so `__name__`, `__file__` and the environment are those of the script. Its
lines are registered with `linecache` under the script's own path: `inspect.getsource`, Triton and `torch.compile` find
them, and tracebacks show them without the stub's own frame. (Python before 3.13 prints uncaught exceptions without a
look at `linecache`, hence the hook; those of other threads it prints without the program's lines.)
"""

import ast
import base64
import io
import itertools
import keyword
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from toolkit.bundle.pack.cache import cached
from toolkit.bundle.pack.compress import Stream, streams
from toolkit.errors import GolfError
from toolkit.folders import SCRIPT_NAME
from toolkit.syntax.parse import parse
from toolkit.unpack.unpack import unpack

_STUB = """\
{cookie}import {imports},traceback as {t}
{s}={module}.decompress({literal}{arguments}).decode()
{t}.sys.excepthook=lambda a,b,c,t={t}:t.print_exception(a,b,c.tb_next)
{t}.linecache.cache[{file}]=0,None,{lines},0
{run}"""


@dataclass(frozen=True)
class Stub:
    """The few lines around a stream, in a namespace that they share with the program."""

    taken: frozenset[str] = frozenset()  # names that it must not use, since the program may ask for them
    clean: bool = False  # whether it must leave no name behind, which takes 36 bytes
    lines: str = "{s}.splitlines(1)"  # how it divides the program into lines

    def script(self, stream: Stream, cookie: str, literal: str, decoder: str = "") -> str:
        """The script. `literal` is an expression for the stream's bytes, with `{decoder}` in the place of a module."""
        fresh = (name for name in _short_names() if name not in self.taken)
        s, t, f = itertools.islice(fresh, 3)
        used = [name for name in (decoder, stream.module) if name]
        modules = {name: next(fresh) if name in self.taken else name for name in used}
        names = {"s": s, "t": t, "module": modules[stream.module], "cookie": cookie, "arguments": stream.arguments}
        names["imports"] = ",".join(name if name == short else f"{name} as {short}" for name, short in modules.items())
        names["lines"] = self.lines.format(s=s)
        names["literal"] = literal.replace("{decoder}", modules.get(decoder, ""), 1)
        if self.clean:
            left = ",".join([*modules.values(), t])
            names["file"] = "__file__"
            names["run"] = f'del {left}\nexec(compile(globals().pop("{s}"),__file__,"exec"))'
        else:
            names["file"] = f"{f}:=__file__"
            names["run"] = f'exec(compile({s},{f},"exec"))'
        return _STUB.format_map(names)


def _short_names() -> Iterator[str]:
    """Names for a stub's variables, the shortest first."""
    yield from dict.fromkeys(["s", "t", "f", *string.ascii_letters])
    pairs = map("".join, itertools.product(string.ascii_letters, repeat=2))
    yield from (name for name in pairs if not keyword.iskeyword(name))


def pack(program: str, encoding: str = "base85", stub: Stub | None = None) -> bytes:
    """The smallest script found that runs `program`, proven to hold that very text.

    `encoding` is one of `ENCODINGS`, or `auto` for the shorter one. Brotli is a candidate where the program imports it
    anyway. Raises `NotReadable` or `SyntaxError` for what is no program, and `AssertionError` if a script does not hold
    the program, which would be a bug of ours.
    """
    if encoding not in (*ENCODINGS, "auto"):
        raise GolfError(f"encoding: expected one of {', '.join(ENCODINGS)}, auto, found {encoding!r}")
    compile(parse(program), SCRIPT_NAME, "exec", dont_inherit=True)
    stub = replace(stub or Stub(), lines=lines_of(program))
    key = ["pack", encoding, program, str(stub.clean), *sorted(stub.taken)]
    script = cached(key, lambda: smallest_script(program, encoding, stub).decode("latin-1")).encode("latin-1")
    prove_packed(script, program)
    return script


def smallest_script(program: str, encoding: str, stub: Stub) -> bytes:
    chosen = ENCODINGS if encoding == "auto" else {encoding: ENCODINGS[encoding]}
    candidates = scripts(streams(program.encode(), imports_brotli(program)), list(chosen.values()), stub)
    return min(candidates, key=lambda script: (len(script), script))


def prove_packed(script: bytes, program: str) -> None:
    """Raise unless a script decodes to a text and to a tree that are those of the program."""
    source = unpack(script, strict=False).source
    if source != program:
        raise AssertionError("packing changed the program")
    if ast.dump(parse(source)) != ast.dump(parse(program)):
        raise AssertionError("packing changed the program's tree")


def imports_brotli(program: str) -> bool:
    """Whether a program cannot start without brotli, so that its stub may use it as well."""
    imports = (stmt for stmt in parse(program).body if isinstance(stmt, ast.Import))
    return any(alias.name == "brotli" for stmt in imports for alias in stmt.names)


def lines_of(program: str) -> str:
    """How a stub divides the program `{s}` into lines: `splitlines` also does so at form feeds and the like."""
    if program.splitlines(True) == list(io.StringIO(program)):
        return "{s}.splitlines(1)"
    return r'[l+"\n"for l in {s}.split("\n")]' + ("[:-1]" if program.endswith("\n") else "")


Encoder = Callable[[Stream, Stub], bytes]


def scripts(candidates: Iterator[Stream], encoders: list[Encoder], stub: Stub) -> Iterator[bytes]:
    """All scripts over the streams."""
    for stream in candidates:
        for encoder in encoders:
            yield encoder(stream, stub)


def base85(stream: Stream, stub: Stub) -> bytes:
    """A script with a base85 literal."""
    literal = f'{{decoder}}.b85decode("{base64.b85encode(stream.data).decode()}")'
    return stub.script(stream, "", literal, "base64").encode()


def latin1(stream: Stream, stub: Stub) -> bytes:
    """A script with the stream's bytes as characters; in source a NUL is an error and a carriage return ends a line."""
    text = stream.data.decode("latin-1").replace("\\", r"\\").replace("\r", r"\r").replace("\0", r"\x00")
    text = text.replace('"""', r'\"""')
    if text.endswith('"'):
        text = text[:-1] + r"\""
    return stub.script(stream, "#coding:l1\n", f'"""{text}""".encode("l1")').encode("latin-1")


ENCODINGS: dict[str, Encoder] = {"base85": base85, "latin1": latin1}
