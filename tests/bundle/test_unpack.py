"""Reading packed scripts of every shape without running them, and refusing hostile ones in one line."""

import base64
import bz2
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest

from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError
from toolkit.unpack import decoders
from toolkit.unpack import unpack as unpacking
from toolkit.unpack.unpack import Unpacked, unpack

PROGRAM = "import os\nprint('héllo ▁', os.getpid())\n" + "".join(f"x{i} = {i * i}\n" for i in range(200))
DATA = PROGRAM.encode()
RAW2 = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
RAW1 = [{"id": lzma.FILTER_LZMA1, "lc": 4, "pb": 0, "dict_size": 65536}]


def b85(data: bytes) -> str:
    return base64.b85encode(data).decode()


def in_lines(text: str, join: str = "\n", width: int = 60) -> str:
    return join.join(f'"{text[i : i + width]}"' for i in range(0, len(text), width))


XZ = b85(lzma.compress(DATA))
ALONE = b85(lzma.compress(DATA, lzma.FORMAT_ALONE))
LZMA2 = b85(lzma.compress(DATA, lzma.FORMAT_RAW, filters=RAW2))
LZMA1 = b85(lzma.compress(DATA, lzma.FORMAT_RAW, filters=RAW1))
ZLIB = zlib.compress(DATA, 9)
B64 = base64.b64encode(ZLIB).decode()
A85 = base64.a85encode(gzip.compress(DATA, mtime=0)).decode()
DEFLATE = zlib.compress(DATA, 9, -15)

SHAPES = {
    "xz": f'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{XZ}")))',
    "alone": f'import lzma,base64\nexec(lzma.decompress(base64.b85decode("{ALONE}")))',
    "raw lzma2 by name": "import lzma as L,base64 as B\n"
    f'exec(L.decompress(B.b85decode("{LZMA2}"),format=L.FORMAT_RAW,filters=[{{"id":L.FILTER_LZMA2}}]))',
    "raw lzma1 by number": "import lzma as L,base64 as B\n"
    f'exec(L.decompress(B.b85decode("{LZMA1}"),3,None,[{{"id":2**62+1,"lc":4,"pb":0,"dict_size":1<<16}}]))',
    "decompressor object": "import lzma,base64\n"
    f'exec(lzma.LZMADecompressor(lzma.FORMAT_RAW,filters=({{"id":33}},)).decompress(base64.b85decode("{LZMA2}")))',
    "many lines": f"import lzma as L,base64 as B\nexec(L.decompress(B.b85decode({in_lines(XZ)})))",
    "sum of literals": f"import lzma,base64\nexec(lzma.decompress(base64.b85decode({in_lines(XZ, join='+')})))",
    "triple quotes": f'import lzma,base64\n_b=b"""\n{XZ[:500]}\n{XZ[500:]}\n"""\n'
    'exec(lzma.decompress(base64.b85decode(_b.replace(b"\\n",b""))))',
    "joined": "import lzma,base64\n"
    f'exec(lzma.decompress(base64.b85decode("".join(["{XZ[:99]}","{XZ[99:]}"]))).decode())',
    "names": f'from base64 import b85decode\nfrom zlib import decompress\nexec(decompress(b85decode("{b85(ZLIB)}")))',
    "import call": f'exec(__import__("zlib").decompress(__import__("base64").b64decode("{B64}")))',
    "deflate": f"import zlib\nexec(zlib.decompress({DEFLATE!r},wbits=-15))",
    "deflate object": f"import zlib\nexec(zlib.decompressobj(-15).decompress({DEFLATE!r}))",
    "gzip": f"import gzip,base64\nexec(gzip.decompress(base64.a85decode({A85!r})))",
    "main block": f'import zlib\nif __name__=="__main__":\n    exec(zlib.decompress({ZLIB!r}))',
    "bz2": f"import bz2\nexec(bz2.decompress({bz2.compress(DATA)!r}))",
    "bz2 hex": f'import bz2\nexec(bz2.decompress(bytes.fromhex("{bz2.compress(DATA).hex()}")))',
    "brotli": f'import brotli as B,base64 as b\nexec(B.decompress(b.b85decode("{b85(brotli.compress(DATA))}")))',
    "latin-1 text": f"import zlib\nexec(zlib.decompress({ZLIB.decode('latin-1')!r}.encode('latin-1')))",
    "bytes with encoding": f"import zlib\nexec(zlib.decompress(bytes({ZLIB.decode('latin-1')!r},'latin1')))",
    "numbers": f"import zlib\nexec(zlib.decompress(bytes({list(ZLIB)})))",
    "reversed": f"import zlib\nexec(zlib.decompress({ZLIB[::-1]!r}[::-1]))",
    "compile": "import lzma,base64 as b\n"
    f"p='{XZ}'\nexec(compile(lzma.decompress(b.b85decode(p)),'train_gpt_verbose.py','exec'))\n",
    "eval": f'import zlib\neval(compile(zlib.decompress({ZLIB!r}).decode(),"x","exec"))',
    "walrus": f"import zlib\nexec(d:=zlib.decompress({ZLIB!r}))",
    "linecache": f'import lzma as L,base64 as B,linecache as C\nS=L.decompress(B.b85decode("{XZ}")).decode()\n'
    "C.cache['a']=(len(S),None,S.splitlines(True),'a')\nexec(compile(S,'a','exec'))\n",
    "step by step": f"import zlib\nx={ZLIB!r}\nx=zlib.decompress(x)\nx=str(x,'utf-8')\nexec(x)",
    "builtins": f"import builtins,zlib\nbuiltins.exec(zlib.decompress({ZLIB!r}))",
    "globals given": f"import zlib\nexec(zlib.decompress({ZLIB!r}),globals())",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape: str) -> None:
    result = unpack(SHAPES[shape].encode())
    assert result.source == PROGRAM
    assert len(result.layers) == 1
    assert {"lzma", "zlib", "bz2", "gzip", "brotli"} & set(result.layers[0].split(" + "))


def test_raw_bytes_literal_under_a_coding_cookie() -> None:
    literal = ZLIB.replace(b"\\", b"\\\\").replace(b"'", b"\\'").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    literal = literal.replace(b"\0", b"\\0")
    script = b"# coding: latin-1\nimport zlib\nexec(zlib.decompress('" + literal + b"'.encode('latin-1')))"
    assert unpack(script) == Unpacked(PROGRAM, ["zlib"])


def test_stub_inside_a_stub() -> None:
    inner = SHAPES["xz"]
    script = f"import zlib\nexec(zlib.decompress({zlib.compress(inner.encode())!r}))"
    assert unpack(script.encode()) == Unpacked(PROGRAM, ["zlib", "base85 + lzma"])


FILE_STUBS = {
    "runpy": f'import lzma as L,base64 as B,os,sys,runpy\n_c=L.decompress(B.b85decode("{XZ}"))\n'
    'os.environ["A"]="1"\n_d=os.path.join(os.getcwd(),"_train.py")\nwith open(_d,"wb") as _f:_f.write(_c)\n'
    'sys.argv[0]=_d;runpy.run_path(_d,run_name="__main__")',
    "importlib": f'import os,zlib,importlib.util as U\nos.environ["A"]="1"\n'
    f'with open("x.py","wb") as f:\n f.write(zlib.decompress({ZLIB!r}))\n'
    's=U.spec_from_file_location("__main__","x.py")\nm=U.module_from_spec(s)\ns.loader.exec_module(m)',
    "subprocess": f'import os,zlib,subprocess\nfrom pathlib import Path\nos.environ["A"]="1"\n'
    f'Path("x.py").write_bytes(zlib.decompress({ZLIB!r}))\nsubprocess.run(["python","x.py"])',
}


@pytest.mark.parametrize("shape", FILE_STUBS)
def test_programs_that_are_run_from_a_file(shape: str) -> None:
    result = unpack(FILE_STUBS[shape].encode())
    assert result.source.endswith(PROGRAM)
    assert 'os.environ["A"]="1"' in result.source
    assert "write" not in result.source
    assert result.layers[0].endswith(" + file")


def test_data_that_is_written_is_no_program() -> None:
    script = f"import zlib\nopen('x','wb').write(zlib.decompress({ZLIB!r}))\n"
    assert unpack(script.encode()).layers == []


def test_statements_around_the_program_stay() -> None:
    script = f"import os\nos.environ.setdefault('LR','1')\n__size__=123\n{SHAPES['xz']}\nprint('end')"
    assert unpack(script.encode()).source == (
        f"import os\nos.environ.setdefault('LR','1')\n__size__=123\n{PROGRAM}\nprint('end')"
    )


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n",
        "",
        "def f():\n    exec('x = 1')\n",
        "model.eval()\n",
        "import lzma\nDATA = lzma.compress(b'x')\n",
        "exec('x = 1')\n",  # a plain literal hides nothing
        f"import zlib\nKERNEL = zlib.decompress({ZLIB!r})\nprint(KERNEL)\n",
    ],
)
def test_plain_source_has_no_layers(source: str) -> None:
    assert unpack(source.encode()) == Unpacked(source, [])


@pytest.mark.parametrize(
    "source",
    [
        "a = 4\nexec(open('settings.py').read())\nprint(a)\n",
        "import inspect\nexec(inspect.getsource(inspect.unwrap))\n",
        "text = ''\nfor i in range(9): text += 'print()'\nexec(text)\n",
        "def decode(x): return x\nexec(decode(b'print(1)'))\n",
        "exec('x = ' + str(5))\n",
    ],
)
def test_an_exec_without_a_decoder_may_belong_to_the_program(source: str) -> None:
    assert unpack(source.encode(), strict=False) == Unpacked(source, [])
    with pytest.raises(GolfError, match=r"line [1-4]: expected"):
        unpack(source.encode())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import zlib\nexec(zlib.decompress(open('x', 'rb').read()))", "a call of open in line 2"),
        ("import zlib\nx = zlib.decompress(open('x', 'rb').read())\nexec(x)", "a call of open in line 2"),
        ("import zlib\nexec(zlib.decompress(b'abc'))", "line 2: expected data that can be decoded"),
    ],
)
def test_an_exec_with_a_decoder_that_fails_never_does(source: str, expected: str) -> None:
    with pytest.raises(GolfError, match=expected):
        unpack(source.encode(), strict=False)


def test_an_exec_beside_a_stub_stays() -> None:
    script = f"exec(open('settings.py').read())\n{SHAPES['xz']}"
    assert unpack(script.encode(), strict=False).source == f"exec(open('settings.py').read())\n{PROGRAM}"


def test_packed_program_of_a_newer_python_is_shown() -> None:
    source = "match = = 1\n"
    assert unpack(f"import zlib\nexec(zlib.decompress({zlib.compress(source.encode())!r}))".encode()).source == source


XZ_BOMB = b85(lzma.compress(bytes(200 * 2**20), preset=6))
ERRORS = {
    "open": (
        "exec(open(__file__.replace('a','b')).read())",
        "line 1: expected literals and known decoders inside exec",
    ),
    "marshal": (
        f"import marshal,zlib\nexec(marshal.loads(zlib.decompress({ZLIB!r})))",
        "a call of marshal.loads in line 2",
    ),
    "own decoder": (f"def d(x): return x\nexec(d({ZLIB!r}))", "a call of d in line 2"),
    "changed in a loop": ("x=b''\nfor i in range(9): x+=b'a'\nexec(x)", "a variable that is set in another way"),
    "wrong data": ("import zlib\nexec(zlib.decompress(b'abc'))", "line 2: expected data that can be decoded"),
    "cut short": (
        f"import lzma,base64\nexec(lzma.decompress(base64.b85decode('{XZ[:200]}')))",
        "the stream ends early",
    ),
    "cut brotli": (f"import brotli\nexec(brotli.decompress({brotli.compress(DATA)[:50]!r}))", "the stream ends early"),
    "wrong alphabet": ("import base64\nexec(base64.b85decode('\"'))", "bad base85 character"),
    "wrong arguments": ("import zlib\nexec(zlib.decompress())", "expected data that can be decoded"),
    "codec that compresses": (f"exec({ZLIB!r}.decode('zlib'))", "no character encoding"),
    "number": ("import zlib\nexec(bytes(10**10))", "expected data that can be decoded"),
    "no source": ("import base64\nexec([base64.b64decode('YQ==')])", "expected source text inside exec, found list"),
    "big dictionary": (
        "import lzma,base64\n"
        f"exec(lzma.decompress(base64.b85decode('{LZMA2}'),3,None,[{{'id':33,'dict_size':1<<31}}]))",
        "expected an LZMA dictionary of at most",
    ),
    "xz bomb": (f"import lzma,base64\nexec(lzma.decompress(base64.b85decode('{XZ_BOMB}')))", "after decompression"),
    "zlib bomb": (
        f"import zlib\nexec(zlib.decompress({zlib.compress(bytes(80 * 2**20), 9)!r}))",
        "after decompression",
    ),
    "bz2 bomb": (f"import bz2\nexec(bz2.decompress({bz2.compress(bytes(80 * 2**20))!r}))", "after decompression"),
    "brotli bomb": (
        f"import brotli\nexec(brotli.decompress({brotli.compress(bytes(80 * 2**20), quality=5)!r}))",
        "after dec",
    ),
    "replace bomb": ("exec((b'a'*1).replace(b'a',b'b'))", "Mult of bytes and int"),
    "growing text": ("x='a'\n" + "x=x+x\n" * 40 + "exec(x.encode())", "in a sum of literals"),
    "no python": ("this is no python", "expected Python source, found: invalid syntax in line 1"),
    "nul bytes": ("x = 1\0", "expected Python source"),
    "deep brackets": ("x = " + "(" * 1000 + ")" * 1000, "expected Python source"),
    "deep operators": ("x = " + "-" * 100_000 + "1", "expected Python source"),
    "deep sum inside": ("exec(" + "b''.strip()" + ".strip()" * 600 + ")", "deeply nested"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_one_clear_line(case: str) -> None:
    script, expected = ERRORS[case]
    with pytest.raises(GolfError) as caught:
        unpack(script.encode())
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


def test_a_gibibyte_of_zeros_in_a_megabyte() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(64 * 2**20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    bomb = block * 16 + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    assert 1_000_000 < len(bomb) < 1_100_000
    with pytest.raises(GolfError, match="after decompression, found more"):
        unpack(f"import zlib\nexec(zlib.decompress({bomb!r},-15))".encode())


def test_a_literal_of_50_megabytes() -> None:
    script = b"import zlib\nexec(zlib.decompress(b'" + b"a" * 50_000_000 + b"'))"
    with pytest.raises(GolfError, match="expected data that can be decoded") as caught:
        unpack(script)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("size", [0, 1, 4, 5, 5 * 2**17 - 1, 5 * 2**17, 5 * 2**17 + 3])
def test_base85_in_pieces(size: int) -> None:
    data = base64.b85encode(bytes(i % 251 for i in range(size)))
    assert decoders.decode_base85(data) == decoders.decode_base85(data.decode()) == base64.b85decode(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x = " + "(" * 1000 + "1" + ")" * 1000,
        lambda: "x = " + "[" * 1000 + "]" * 1000,
        lambda: "x = " + "not " * 1000 + "1",
        lambda: "x = " + "lambda: " * 1000 + "1",
        lambda: "x = a" + ".b" * 100_000,
        lambda: "x = a" + "()" * 100_000,
        lambda: "x = 1" + " + 1" * 100_000,
        lambda: "x = a" + ".b" * 600,
        lambda: "x = a" + "()" * 600,
        lambda: "if x: pass\n" + "elif x: pass\n" * 300,
        lambda: "".join(" " * i + "if x:\n" for i in range(1000)) + " " * 1000 + "y",
        lambda: "if x: pass\n" + "elif x: pass\n" * 2000,
        lambda: "x = '" + "f" * 10 + "'\nexec(" + "bytes(" * 1000 + "b''" + ")" * 1000 + ")",
        lambda: "import zlib\nexec(zlib.decompress(b''" + ".strip()" * 50_000 + "))",
        lambda: 'x = f"' + '{f"' * 1000 + '"}' * 1000 + '"',
    ],
)
def test_nesting_a_thousand_deep_ends_no_process(make: Callable[[], str]) -> None:
    script = make().encode()
    with contextlib.suppress(GolfError):
        unpack(script)
    with contextlib.suppress(GolfError):
        pack_script(script)


def test_invalid_utf8() -> None:
    with pytest.raises(GolfError, match="expected Python source"):
        unpack(b"x = '\xff'")


def test_input_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_INPUT_BYTES", 1000)
    with pytest.raises(GolfError, match="script: expected at most 1000 bytes, found 1001"):
        unpack(b"#" * 1001)


def test_output_limit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MAX_OUTPUT_BYTES", len(DATA))
    assert unpack(SHAPES["xz"].encode()).source == PROGRAM
    assert unpack(SHAPES["brotli"].encode()).source == PROGRAM
    monkeypatch.setattr(decoders, "MAX_OUTPUT_BYTES", len(DATA) - 1)
    for shape in ("xz", "deflate", "bz2", "gzip", "brotli"):
        with pytest.raises(GolfError, match="after decompression"):
            unpack(SHAPES[shape].encode())


def test_nesting_limit() -> None:
    script = "x = 1"
    for _ in range(unpacking.MAX_LAYERS):
        script = f"import zlib\nexec(zlib.decompress({zlib.compress(script.encode())!r}))"
    assert len(unpack(script.encode()).layers) == unpacking.MAX_LAYERS
    script = f"import zlib\nexec(zlib.decompress({zlib.compress(script.encode())!r}))"
    with pytest.raises(GolfError, match=r"at most 16 stubs inside each other"):
        unpack(script.encode())


def test_nothing_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    make = f"open({str(target)!r},'w').close()"
    scripts = [
        make,
        f"import zlib\nexec(zlib.decompress({zlib.compress(make.encode())!r}))",
        f"import zlib\n{make}\nexec(zlib.decompress(({make}) or {ZLIB!r}))",
        f"class lzma:\n    decompress=lambda x:{make}\nexec(lzma.decompress(b''))",
    ]
    for script in scripts:
        with contextlib.suppress(GolfError):
            unpack(script.encode())
    assert not target.exists()
