"""Packing: the same program comes out, and it runs as the script it is in."""

import ast
import base64
import lzma
import string
import subprocess
import sys
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.bundle.pack import pack as packing
from toolkit.bundle.pack.compress import Stream, raw_lzma, search_filters, streams
from toolkit.bundle.pack.pack import ENCODINGS, Encoder, Stub, imports_brotli, pack
from toolkit.errors import GolfError
from toolkit.syntax.parse import NotReadable
from toolkit.unpack.unpack import unpack

PROGRAM = "import sys\nX='é▁\\r'\ndef f(a):return a+1\nif __name__=='__main__':print(__file__,len(X),f(1),sys.argv[1:])"
LONG = "\n".join(f"def function_{i}(a,b):return a*{i}+b if a>{i * 7 % 13} else print('line {i}')" for i in range(60))
SOURCES = """\
import inspect
class Thing:
    def method(self):
        return 'é'
def function(x):
    return x.method()
if __name__ == '__main__':
    for item in (Thing, Thing.method, function):
        print(inspect.getsource(item))
    print(inspect.getsourcelines(function)[1])
"""
CRASH = "import brotli\n\n\ndef divide(x):\n    return 1 / x  # here\n\n\nif __name__ == '__main__':\n    divide(0)\n"


def run(script: bytes, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "train_gpt.py"
    path.write_bytes(script)
    return subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("program", [PROGRAM, LONG, "", "x=1\n", CRASH])
def test_round_trip(program: str, encoding: str) -> None:
    script = pack(program, encoding)
    assert script.isascii() or encoding == "latin1"
    assert unpack(script).source == program
    label = "brotli" if program == CRASH else "lzma"
    assert unpack(script).layers == [f"base85 + {label}" if encoding == "base85" else label]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_script_runs_with_its_own_name_and_file(tmp_path: Path, encoding: str) -> None:
    result = run(pack(PROGRAM, encoding), tmp_path, "a")
    assert (result.stdout, result.stderr) == (f"{tmp_path / 'train_gpt.py'} 3 2 ['a']\n", "")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tracebacks_are_those_of_the_plain_script(tmp_path: Path, encoding: str) -> None:
    packed, plain = run(pack(CRASH, encoding), tmp_path), run(CRASH.encode(), tmp_path)
    assert "return 1 / x  # here" in packed.stderr
    assert (packed.stderr, packed.returncode) == (plain.stderr, plain.returncode)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tracebacks_do_not_depend_on_names_of_the_program(tmp_path: Path, encoding: str) -> None:
    program = "s = t = f = lzma = base64 = 0\n" + CRASH
    packed, plain = run(pack(program, encoding), tmp_path), run(program.encode(), tmp_path)
    assert (packed.stderr, packed.returncode) == (plain.stderr, plain.returncode)


OWN_NAMES = "print(sorted(name for name in globals() if not name.startswith('__')))\n"
MISSING = """
for name in ('s', 't', 'f', 'S', 'lzma', 'base64', 'sa'):
    try:
        eval(name)
    except NameError:
        print('no', name)
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("program", [OWN_NAMES, MISSING, CRASH, SOURCES, PROGRAM])
def test_a_clean_stub_leaves_no_name(tmp_path: Path, encoding: str, program: str) -> None:
    script = pack(program, encoding, Stub(clean=True))
    assert unpack(script).source == program
    packed, plain = run(script, tmp_path), run(program.encode(), tmp_path)
    assert (packed.stdout, packed.stderr, packed.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert len(script) > len(pack(program, encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_stub_leaves_no_name_that_is_taken(tmp_path: Path, encoding: str) -> None:
    taken = frozenset(["lzma", "base64", *string.ascii_letters])
    names = set(ast.literal_eval(run(pack(OWN_NAMES, encoding, Stub(taken)), tmp_path).stdout))
    assert unpack(pack(OWN_NAMES, encoding, Stub(taken))).source == OWN_NAMES
    assert len(names - {"name"}) >= 4
    assert not names & taken


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_lines_are_those_of_the_file(tmp_path: Path, end: str) -> None:
    shown = "for i in range(9):\n    print(repr(linecache.getline(__file__, i)))"
    program = "import linecache\nA = '\x1c\u2028\x0c'\n\x0c\n" + shown + end
    packed, plain = run(pack(program), tmp_path), run(program.encode(), tmp_path)
    assert (packed.stdout, packed.stderr) == (plain.stdout, plain.stderr)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_inspect_finds_the_source_of_functions_methods_and_classes(tmp_path: Path, encoding: str) -> None:
    packed, plain = run(pack(SOURCES, encoding), tmp_path), run(SOURCES.encode(), tmp_path)
    assert "return x.method()" in packed.stdout
    assert (packed.stdout, packed.stderr) == (plain.stdout, plain.stderr)


@pytest.mark.parametrize("encode", ENCODINGS.values())
@given(st.binary())
def test_every_byte_survives_an_encoding(encode: Encoder, data: bytes) -> None:
    assert static_literal(encode(Stream(data, "lzma"), Stub())) == data


@pytest.mark.parametrize("encode", ENCODINGS.values())
@pytest.mark.parametrize(
    "data", [b'"', b'""""', b'"""x', b'\\"', b"\\", b"\r\n", b"\n\r\0001", bytes(range(256)), b"\0" + b"\r" * 9]
)
def test_awkward_bytes_survive_an_encoding(encode: Encoder, data: bytes) -> None:
    assert static_literal(encode(Stream(data, "lzma"), Stub())) == data


def static_literal(script: bytes) -> bytes:
    """The bytes that a stub decompresses, found by the constants in its tree."""
    tree = ast.parse(script)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if script.startswith(b"#coding"):
        return next(text for text in texts if text not in ("exec", "l1") or len(texts) == 2).encode("latin-1")
    return base64.b85decode(next(text for text in texts if text != "exec"))


def test_latin1_is_shorter_and_auto_takes_it() -> None:
    sizes = {encoding: len(pack(LONG, encoding)) for encoding in ENCODINGS}
    assert sizes["latin1"] < sizes["base85"]
    assert pack(LONG, "auto") == pack(LONG, "latin1")


def test_unknown_encoding() -> None:
    with pytest.raises(GolfError, match="expected one of base85, latin1, auto, found 'rot13'"):
        pack("x=1", "rot13")


def test_searched_parameters_are_no_worse_than_the_default() -> None:
    data = LONG.encode()
    searched = raw_lzma(data, search_filters(data))
    default = raw_lzma(data, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME})
    assert len(searched) < len(default)


def test_streams_decompress_as_they_say() -> None:
    for stream in streams(LONG.encode(), with_brotli=True):
        decompress = {"lzma": lzma.decompress, "brotli": brotli.decompress}[stream.module]
        assert decompress(
            stream.data, *ast.literal_eval(f"[0{stream.arguments}]".replace("2**62+1", str(2**62 + 1)))[1:]
        ) == (LONG.encode())


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import brotli", True),
        ("import lzma,brotli as B", True),
        ("try:\n import brotli\nexcept ImportError:0", False),
        ("def f():\n import brotli", False),
        ("import brotlicffi", False),
    ],
)
def test_brotli_only_where_the_program_cannot_start_without(program: str, expected: bool) -> None:
    assert imports_brotli(program) == expected
    assert (unpack(pack(program + "\n" + LONG)).layers == ["base85 + brotli"]) == expected


def test_a_script_that_holds_another_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "streams", lambda data, with_brotli: iter([Stream(lzma.compress(b"x=2"), "lzma")]))
    with pytest.raises(AssertionError, match="changed the program"):
        pack("x=1")


def test_a_program_that_does_not_compile_is_refused() -> None:
    with pytest.raises(NotReadable):
        pack("def f(:")
    with pytest.raises(SyntaxError):
        pack("return 1")


def test_program_is_not_run_while_packing(tmp_path: Path) -> None:
    target = tmp_path / "made"
    script = pack(f"open({str(target)!r},'w').close()")
    assert ast.parse(script)
    assert not target.exists()
