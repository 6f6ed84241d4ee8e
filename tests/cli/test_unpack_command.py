"""`golf unpack`: source to standard output, everything else beside it."""

import json
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.bundle.pack.pack import pack
from toolkit.cli.main import golf
from toolkit.unpack import unpack as unpacking

PROGRAM = "print('héllo')\nx=1"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(script: bytes, *options: str) -> Result:
    Path("script.py").write_bytes(script)
    return CliRunner().invoke(golf, ["unpack", "script.py", *options])


def test_prints_the_program() -> None:
    script = pack(PROGRAM)
    result = invoke(script)
    assert result.exit_code == 0
    assert result.stdout == PROGRAM + "\n"
    assert result.stderr == f"{len(script)} bytes -> {len(PROGRAM.encode())} bytes: base85 + lzma\n"


def test_object() -> None:
    script = pack(PROGRAM)
    facts = json.loads(invoke(script, "--json").stdout)
    assert facts == {
        "file_bytes": len(script),
        "source_bytes": len(PROGRAM.encode()),
        "layers": ["base85 + lzma"],
        "source": PROGRAM,
    }
    assert json.loads(invoke(b"x = 1\n", "--json").stdout)["layers"] == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"x = 1\n", "expected a packed script, found plain source of 6 bytes"),
        (b"exec(open('x').read())", "expected literals and known decoders inside exec"),
        (b"\xff\xfe", "expected Python source"),
        (f"import zlib\nexec(zlib.decompress({zlib.compress(b'x')[:-5]!r}))".encode(), "the stream ends early"),
    ],
)
def test_errors_are_one_line(script: bytes, expected: str) -> None:
    result = invoke(script)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_large_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_INPUT_BYTES", 10)
    result = invoke(b"x" * 11)
    assert result.exit_code == 1
    assert "expected at most 10 bytes, found more" in result.stderr
