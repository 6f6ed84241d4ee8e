"""Packing: the same program comes out, and it runs as the script it is in."""

import ast
import lzma
import subprocess
import sys

import pytest

from toolkit.bundle import pack as packing
from toolkit.bundle.pack import pack, search_filters
from toolkit.bundle.unpack import unpack

PROGRAM = "import sys\nX='é▁\\r'\ndef f(a):return a+1\nif __name__=='__main__':print(__file__,len(X),f(1),sys.argv[1:])"
LONG = "\n".join(f"def function_{i}(a,b):return a*{i}+b if a>{i * 7 % 13} else print('line {i}')" for i in range(60))


@pytest.mark.parametrize("program", [PROGRAM, LONG, "", "x=1\n"])
def test_round_trip(program):
    script = pack(program)
    assert script.isascii()
    assert unpack(script).source == program
    assert unpack(script).layers == ["base85 + lzma"]
    assert len(script.splitlines()[-1]) < 10  # what a traceback shows


def test_script_runs_with_its_own_name_and_file(tmp_path):
    path = tmp_path / "train_gpt.py"
    path.write_bytes(pack(PROGRAM))
    result = subprocess.run([sys.executable, str(path), "a"], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == (f"{path} 3 2 ['a']\n", "")


def test_searched_parameters_are_no_worse_than_the_default():
    data = LONG.encode()
    searched = lzma.compress(data, lzma.FORMAT_RAW, filters=[search_filters(data)])
    default = lzma.compress(
        data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    )
    assert len(searched) < len(default)
    assert len(pack(LONG)) < len(default) * 5 / 4 + 70


def test_a_script_that_holds_another_program_is_refused(monkeypatch):
    monkeypatch.setattr(packing, "scripts", lambda data, filters: iter([packing.stub(lzma.compress(b"x=2"), "")]))
    with pytest.raises(AssertionError, match="changed the program"):
        pack("x=1")


def test_a_program_that_does_not_compile_is_refused():
    with pytest.raises(SyntaxError):
        pack("def f(:")


def test_program_is_not_run_while_packing(tmp_path):
    target = tmp_path / "made"
    script = pack(f"open({str(target)!r},'w').close()")
    assert ast.parse(script)
    assert not target.exists()
