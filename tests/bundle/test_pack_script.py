"""Packed scripts run as the files that they were: names, exits, exceptions, other processes, tools; and every input."""

import ast
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from toolkit.bundle.foreign import pack_script as packing
from toolkit.bundle.foreign.cautions import caution_bytes
from toolkit.bundle.foreign.guards import Caution
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError
from toolkit.unpack.unpack import unpack

# Long enough that a stub makes it shorter, and used, so that it stays.
PADDING = "".join(f"def padding_{i}(value): return value + {i} - {i}\n" for i in range(60))
PADDING += "assert " + " and ".join(f"padding_{i}(1)" for i in range(60)) + "\n"
OWN_SOURCE = "import inspect\ndef shown(): pass\nassert inspect.getsource(shown)\n"


def run(script: bytes, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a script in a folder, the arguments being those of Python."""
    (folder / "train_gpt.py").write_bytes(script)
    command = [sys.executable, *(arguments or ("train_gpt.py", "one", "two"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def padded(source: str) -> str:
    """A program that is long enough; a first line that must come first stays so."""
    head, newline, rest = source.partition("\n") if source.startswith(("'", "from __future__")) else ("", "", source)
    return f"{head}{newline}{PADDING}{rest}\n"


def assert_same(source: str, folder: Path, *arguments: str, form: str = "minified in a stub") -> tuple[int, str, str]:
    """What a program does, which must be the same packed and in that form."""
    source = padded(source)
    result = pack_script(source.encode())
    assert result.form == form
    plain, packed = run(source.encode(), folder, *arguments), run(result.packed, folder, *arguments)
    assert packed[:2] == plain[:2]
    assert shape(packed[2]) == shape(plain[2])
    return plain


def shape(errors: str) -> list[str]:
    """What tracebacks and warnings show but for names, numbers and text of lines: frames, and the exceptions."""
    lines = [line for line in errors.splitlines() if not re.match(r"[ |]*    |  \w", line)]
    return [re.sub(r'File ".*|:\d+:|0x\w+|[\d.]+s$', "...", line) for line in lines]


ENDS = {
    "returns": "print(__name__, __doc__, __file__)",
    "documented": "'a docstring'\nprint(__doc__)",
    "exit code": "import sys\nsys.exit(3)",
    "exit text": "raise SystemExit('expected a number, found none')",
    "exit at once": "import os\nprint('out', flush=True)\nos._exit(5)",
    "interrupt": "raise KeyboardInterrupt",
    "uncaught": "def inverse(number):\n    return 1 / number\nprint('before')\ninverse(0)",
    "chained": "def fail():\n    try:\n        {}[0]\n    except KeyError as e:\n        raise OSError from e\nfail()",
    "in a context": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise OSError(2, 'none') from None",
    "group": "raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])",
    "recursion": "def endless(n):\n    return endless(n)\ntry:\n    endless(1)\nexcept RecursionError:\n    print(1)",
    "at exit": "import atexit\natexit.register(print, 'last')\nprint('first')\nraise ValueError('x')",
    "at exit, failing": "import atexit\n@atexit.register\ndef last():\n    print('last')\n    raise ValueError('x')",
    "thread": "import threading\ndef work():\n    raise ValueError('in a thread')\n"
    "thread = threading.Thread(target=work, name='worker')\nthread.start()\nthread.join()\nprint('end')",
    "warning": "import warnings\nwarnings.warn('careful')\nprint('end')",
    "assertion": "assert len('abc') == 3, 'text'\nassert not 'abc'",
    "annotations": "number: int = 1\nprint(number, list(__annotations__.values()))",
    "arguments": "import sys\nprint(sys.argv[1:])",
    "main block": "if __name__ == '__main__':\n    print('main')",
    "namespace": "print(sorted(name for name in globals() if name != '__annotations__'))",
    "unbound": "for text in ('s', 't', 'f', 'lzma', 'base64', 'traceback'):\n    try:\n        eval(text)\n"
    "    except NameError as error:\n        print(error)",
    "unbound names": "try:\n    print(s, t, f)\nexcept NameError:\n    print('no s')\n"
    "try:\n    print(lzma)\nexcept NameError:\n    print('no lzma')",
    "read before it is bound": "def early():\n    try:\n        return s\n    except NameError:\n        return None\n"
    "print(early())\ns = 1\nprint(early())",
    "star": "from string import *\nprint(digits)\n1 / 0",
}


@pytest.mark.parametrize("name", ENDS)
def test_a_program_ends_as_it_did(name: str, tmp_path: Path) -> None:
    assert_same(ENDS[name], tmp_path)


def test_these_programs_end_in_different_ways(tmp_path: Path) -> None:
    codes = {
        name: run(ENDS[name].encode(), tmp_path)[0] for name in ("returns", "exit code", "exit at once", "interrupt")
    }
    assert codes == {"returns": 0, "exit code": 3, "exit at once": 5, "interrupt": -2}


SPAWN = """
import multiprocessing
def square(number):
    return number * number
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(square, range(5)))
        try:
            pool.apply(padding_1, ("text",))
        except TypeError as error:
            print(type(error))
"""
PICKLE = """
import pickle
class Point:
    def __init__(self, x):
        self.x = x
print(pickle.loads(pickle.dumps(Point(3))).x, pickle.dumps(Point).count(b"Point"))
"""
MAIN = """
import __main__, sys
number = 5
print(__main__.number, sys.modules["__main__"] is __main__, hasattr(__main__, "s"), hasattr(__main__, "lzma"))
"""
HINTS = """from __future__ import annotations
import typing
from dataclasses import dataclass, fields
@dataclass
class Point:
    x: int
    y: typing.Optional[str] = None
print(typing.get_type_hints(Point), [field.type for field in fields(Point)], Point(1))
"""
UNITTEST = """
import unittest
class Tests(unittest.TestCase):
    def test_good(self):
        "A docstring."
        self.assertEqual(padding_1(1), 1)
    def test_bad(self):
        self.assertEqual(padding_1(1), 2)
if __name__ == "__main__":
    unittest.main(argv=["x"], verbosity=2)
"""


@pytest.mark.parametrize("source", [SPAWN, PICKLE, MAIN, HINTS])
def test_others_find_the_module_and_what_is_in_it(source: str, tmp_path: Path) -> None:
    assert assert_same(source, tmp_path)[0] == 0


def test_unittest_finds_the_tests(tmp_path: Path) -> None:
    (_, _, errors) = assert_same(UNITTEST, tmp_path)
    assert "Ran 2 tests" in errors
    assert "A docstring." in errors


DOCTEST = """
def double(number):
    '''
    >>> double(2)
    4
    >>> double(3)
    7
    '''
    return 2 * number
if __name__ == "__main__":
    import doctest
    print(doctest.testmod())
"""
SOURCE = """
import inspect, linecache
def kernel(x: int,   y: int):  # as it is written
    return x +   y
print(inspect.getsource(kernel), inspect.getsourcelines(kernel)[1], linecache.getline(__file__, 3))
\x0c
print(inspect.getsource(padding_3))
"""
LOGGED = """
import logging, sys
logging.basicConfig(format="%(lineno)d %(message)s", stream=sys.stdout)

logging.warning("careful")
"""
CAUGHT = """
import traceback
def fail():

    raise ValueError("x")
try:
    fail()
except ValueError as error:
    print(error.__traceback__.tb_lineno)
"""


@pytest.mark.parametrize("source", [DOCTEST, SOURCE, LOGGED, CAUGHT])
def test_a_program_that_reads_its_lines_keeps_its_text(source: str, tmp_path: Path) -> None:
    assert assert_same(source, tmp_path, form="text as it is in a stub")[0] == 0


STACK = """
import inspect

def depth():
    return len(inspect.stack())
print(depth(), inspect.stack()[0].lineno)
"""
FRAMES = """
import sys
def depth(frame=None, count=0):
    return count if frame is None else depth(frame.f_back, count + 1)
print(depth(sys._getframe()))
"""


@pytest.mark.parametrize("source", [STACK, FRAMES])
def test_a_program_that_reads_the_stack_gets_no_stub(source: str, tmp_path: Path) -> None:
    assert_same(source, tmp_path, form="text as it is")
    data = b"# coding: latin-1\r\nx = '\xe9'\r\n" + source.encode()
    assert pack_script(data).packed == data


@pytest.mark.parametrize("options", [("-O",), ("-OO",), ("-W", "error"), ("-I",), ("-bb",), ("-X", "dev"), ("-S",)])
@pytest.mark.parametrize("name", ["returns", "assertion", "warning", "uncaught"])
def test_options_of_python(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    assert_same(ENDS[name], tmp_path, *options, "train_gpt.py")


def test_another_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    source = "import os\nos.chdir('inner')\nprint(__file__, os.getcwd())\n1 / 0"
    for path in ("train_gpt.py", "./train_gpt.py", "inner/../train_gpt.py", str(tmp_path / "train_gpt.py")):
        assert_same(source, tmp_path, path)


@pytest.mark.parametrize(
    "command",
    [
        "import runpy; print(runpy.run_path('train_gpt.py')['__name__'])",
        "import runpy; runpy.run_path('train_gpt.py', run_name='__main__')",
        "import train_gpt",
    ],
)
def test_run_by_others(command: str, tmp_path: Path) -> None:
    source = "print(__name__, __file__)\nif __name__ == '__main__': print('main')"
    assert_same(source, tmp_path, "-c", command)
    assert_same(source, tmp_path, "-m", "train_gpt")


def test_the_text_in_a_literal_is_kept() -> None:
    text = 'tab\t \x0c \x1c \u2028 e\u0301 \ufb01 \\ """ end'
    source = f"TEXT = {text!r}\nRAW = '''a\r\nb\rc\x0c\u2028'''\nSURROGATE = '\\ud800'\nprint(TEXT, RAW, SURROGATE)\n"
    for end in ("", PADDING, OWN_SOURCE + PADDING):
        data = (source + end).encode()
        assert texts(unpack(pack_script(data).packed).source) == texts(data)


def texts(source: str | bytes) -> list[str]:
    constants = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize("encoding", ["base85", "latin1", "auto"])
def test_a_program_that_reads_its_own_file_is_ascii(encoding: str, tmp_path: Path) -> None:
    for reading in ("__file__", "__import__('sys').argv[0]"):
        data = padded(f"print(len(open({reading}, encoding='utf-8').read()) > 0)").encode()
        if encoding == "latin1":
            with pytest.raises(
                GolfError, match="--encoding latin1: expected a program that does not read its own file"
            ):
                pack_script(data, encoding=encoding)
        else:
            packed = pack_script(data, encoding=encoding).packed
            assert packed.isascii()
            assert run(packed, tmp_path)[:2] == (0, "True\n")
    assert not pack_script(padded("print(1)").encode(), encoding="auto").packed.isascii()


def test_an_exec_at_the_top_level_keeps_all_names(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("batch_size = 8\nadded = padding_1(2)\n")
    source = "batch_size = 4\nexec(open('settings.py').read())\nprint(batch_size, added)"
    assert assert_same(source, tmp_path)[1] == "8 2\n"
    (blocker,) = pack_script(padded(source).encode()).blockers
    assert (blocker.construct, blocker.caution) == ("exec()", Caution.UNREAD)
    for source in (
        "for name in ('settings.py',):\n    exec(open(name).read())\nprint(batch_size)",
        "try:\n    exec(open('settings.py').read())\nexcept OSError:\n    pass\nprint(added)",
        "def read():\n    exec(open('settings.py').read(), globals())\nread()\nprint(added)",
    ):
        assert assert_same(source, tmp_path)[0] == 0


def test_an_exec_of_its_own_source(tmp_path: Path) -> None:
    source = "import inspect\nexec(inspect.getsource(padding_1).replace('padding_1', 'again'))\nprint(again(7))"
    assert assert_same(source, tmp_path, form="text as it is in a stub")[1] == "7\n"


def test_a_program_that_needs_a_name_of_its_stub_is_refused() -> None:
    inner = zlib.compress(b"print(zlib.crc32(b'x'))\n" * 9)
    with pytest.raises(GolfError, match="expected a program that does without its stub, found zlib of it in use"):
        pack_script(f"import zlib\nexec(zlib.decompress({inner!r}))".encode())
    assert pack_script(f"import zlib as z\nexec(z.decompress({zlib.compress(b'import zlib')!r}))".encode()).layers


def test_what_writes_a_program_to_a_file_is_a_program_itself(tmp_path: Path) -> None:
    program = zlib.compress(b"print(__file__)")
    source = f"import os, sys, zlib, subprocess\nopen('x.py', 'wb').write(zlib.decompress({program!r}))\n"
    source += "print(subprocess.run([sys.executable, 'x.py'], capture_output=True).stdout, os.path.exists('x.py'))"
    assert assert_same(source, tmp_path)[1].endswith("True\n")


INPUTS = {
    "empty": b"",
    "comments": b"#!/usr/bin/env python\n# nothing else\n",
    "no newline": b"print('a')",
    "byte-order mark": b"\xef\xbb\xbfprint('\xc3\xa9')\n",
    "latin-1": b"# coding: latin-1\nprint(ascii('\xe9'))\n",
    "cp1252": b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\nprint(ascii('\x80'))\n",
    "latin-1 that is UTF-8": b"# coding: latin-1\nprint(ascii('\xc3\xa9'))\n",
    "shift_jis": "# coding: shift_jis\nprint(ascii('\u8868'))\n".encode("shift_jis"),
    "CRLF": b"x = '''a\r\nb\rc'''\r\nif x:\r\n    print(ascii(x))\r\n",
    "CR": b"x = 1\rprint(x)\r",
    "form feeds": b"x = 1\n\x0c\ndef f():\n\x0c    return '\x0c'\nprint(ascii(f()))\n",
    "tabs": b"if 1:\n\tx = '''\n\ta'''\n\tif x:\n\t\tprint(ascii(x))\n",
    "tabs and spaces": b"if 1:\n\tif 1:\n\t    print('a')\nif 1:\n  print('b')\n",
    "continuation": b"x = 1 + \\\n    2\nprint(x)\n",
    "identifiers": "\ufb01n = 1\nprint(fin, '\ufb01n')\ndef f(*, \u212b): return \u00c5\nprint(f(\u212b=2))\n".encode(),
    "surrogates": b"print(ascii('\\ud800'), ascii(f'{1}\\udfff'))\n",
    "null in a literal": b"print(ascii('\\x00'), b'\\0')\n",
}


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_every_text_is_read_as_python_reads_it(name: str, is_long: bool, tmp_path: Path) -> None:
    end = b"\r" if name == "CR" else b"\n"
    data = INPUTS[name] + (end + PADDING.encode().replace(b"\n", end) if is_long else b"")
    plain = run(data, tmp_path)
    assert plain[0] == 0
    result = pack_script(data)
    assert run(result.packed, tmp_path) == plain
    assert ("stub" in result.form) == is_long
    kept = pack_script(data + end + OWN_SOURCE.encode().replace(b"\n", end))
    assert "text as it is" in kept.form
    assert run(kept.packed, tmp_path) == plain


REFUSED = {
    "image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9,
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0" + bytes(range(255, -1, -1)),
    "text": "Dear reviewer, this is a r\u00e9sum\u00e9.\n".encode() * 9,
    "NUL": b"x = 1\0\n",
    "UTF-16": "print('a')\n".encode("utf-16"),
    "UTF-16 by its coding line": b"# coding: utf-16\nprint('a')\n",
    "unknown coding": b"# coding: klingon\nx = 1\n",
    "coding that is none": b"# coding: rot13\nkevag('n')\n",
    "ASCII that is UTF-8": b"# coding: ascii\nprint('\xc3\xa9')\n",
    "mark and another coding": b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
    "tabs mixed": b"if 1:\n        x = 1\n\tx = 2\n",
    "continuation at the end": b"x = 1\\\n",
    "control character": b"x = 1\n\x1a",
    "another language": b"#include <stdio.h>\nint main() { return 0; }\n",
    "Python 2": b"print 'a'\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_python_refuses_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    assert run(REFUSED[name], tmp_path)[0] != 0
    with pytest.raises(GolfError, match=r"^script: expected Python source, found") as caught:
        pack_script(REFUSED[name])
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 200


def test_limit_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_PROGRAM_BYTES", 100)
    assert pack_script(b"#" * 100).packed == b""
    with pytest.raises(GolfError, match="script: expected at most 100 bytes of source, found 101"):
        pack_script(b"#" * 101)
    monkeypatch.setattr(packing, "MAX_NODES", 10)
    with pytest.raises(GolfError, match=r"script: expected at most 10 nodes of syntax, found \d\d$"):
        pack_script(b"print(1)\n" * 3)


def test_a_step_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tree: ast.Module) -> str:
        raise KeyError("first\nsecond")

    monkeypatch.setattr(packing, "print_tree", fail)
    with pytest.raises(GolfError, match=r"^script: expected steps .* a bug of golf pack \(KeyError: .*\)$") as caught:
        pack_script(b"print(1)")
    assert isinstance(caught.value.__cause__, KeyError)


def test_defining_and_keeping_lines_exclude_each_other() -> None:
    source = OWN_SOURCE.encode() + b"SIZE = 1\nprint(SIZE)\n"
    assert pack_script(source).form == "text as it is"
    with pytest.raises(GolfError, match="--define: expected a program that can be written anew"):
        pack_script(source, {"SIZE": "2"})
    assert pack_script(source, {"SIZE": "2"}, assumed=[Caution.UNREAD]).form == "minified"


def test_what_caution_costs_comes_back_at_the_users_word() -> None:
    data = padded(
        "import library\nlibrary.call(padding_1)\nlibrary.call(**library.settings())\nprint(globals())"
    ).encode()
    result = pack_script(data)
    costs = caution_bytes(result, data)
    assert list(costs) == sorted({blocker.caution for blocker in result.blockers})
    assert Caution.UNREAD in costs
    for kind, num_bytes in costs.items():
        without = pack_script(data, assumed=[kind])
        assert (without.assumed, len(result.packed) - len(without.packed)) == ([kind], num_bytes)
        assert kind not in caution_bytes(without, data)
    assert any(costs.values())
