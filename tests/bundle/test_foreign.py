"""Packing scripts that we did not write: same behaviour, guarded names, and a report of what keeps names long."""

import ast
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from toolkit.bundle.foreign import pack_script as foreign
from toolkit.bundle.foreign.pack_script import minify_script, pack_script
from toolkit.bundle.minify.equal import NotEqual
from toolkit.errors import GolfError
from toolkit.unpack.unpack import unpack


def minified(source: str) -> str:
    return minify_script(ast.parse(source))[0]


def run(script: bytes, folder: Path, *arguments: str) -> tuple[int, str, str]:
    path = folder / "train_gpt.py"
    path.write_bytes(script)
    done = subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


BEHAVIOURS = {
    "settings": """
\"\"\"A script.\"\"\"
from __future__ import annotations
import os
import json
import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

class Hyperparameters:
    num_layers: int = int(os.environ.get("NUM_LAYERS", "9"))
    learning_rate = 0.5

@dataclass
class Batch:
    tokens: list[int]
    weight: float = 1.0

class Pair(NamedTuple):
    first_item: int
    second_item: int = 2

def describe(settings: Hyperparameters, *, prefix_text: str = "") -> str:
    "Shows settings."
    return prefix_text + json.dumps({k: v for k, v in sorted(vars(settings).items()) if not k.startswith("_")})

print(describe(Hyperparameters, prefix_text="settings "), Batch(tokens=[1]), Pair(first_item=1))
print([field.name for field in dataclasses.fields(Batch)], Pair._fields)
""",
    "namespaces": """
global_value = 1
other_value = 2
def by_name(parameter_name):
    local_value = parameter_name * 2
    return sorted(locals().items())
def evaluated(argument_value):
    hidden_value = 5
    return eval("argument_value + hidden_value + global_value")
def written(some_code):
    kept_value = 7
    return eval(some_code)
def shadowing(long_name):
    return long_name, eval("a")
a = 3
print(shadowing(1))
print(by_name(3), evaluated(1), written("kept_value + other_value"), globals()["global_value"])
print("other_value" in globals(), sorted(name for name in dir() if name.endswith("value")))
""",
    "names of functions": """
def named(function):
    print(function.__name__, function.__annotations__)
    return function
@named
def decorated_function(width_argument: int) -> str:
    return str(width_argument)
class SomeClass:
    def __repr__(self):
        return type(self).__name__
print(decorated_function(1), SomeClass(), SomeClass)
""",
    "signatures": """
import inspect
def with_parameters(first_parameter, second_parameter=2):
    return first_parameter + second_parameter
print(inspect.signature(with_parameters), with_parameters(1, second_parameter=5))
options = dict(first_parameter=1, second_parameter=3)
print(with_parameters(**options))
""",
    "docs": '''
"""The documentation."""
def documented():
    """Of a function."""
print(__doc__, documented.__doc__)
''',
    "overrides": """
import argparse
class Action(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, values.upper())
parser = argparse.ArgumentParser()
parser.add_argument("--some-name", action=Action, default="x")
print(parser.parse_args(["--some-name", "abc"]).some_name)
""",
    "shadowed imports": """
import math
def outer(count):
    def inner(math):
        return [math * item for item in range(count)]
    return inner(2), math.sqrt(count)
try:
    import missing_module_of_nobody as optional
except ImportError:
    optional = None
print(outer(4), optional)
if __name__ == "__main__":
    print("run")
""",
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_output_stays(name: str, tmp_path: Path) -> None:
    source = BEHAVIOURS[name]
    result = run(source.encode(), tmp_path)
    assert result[::2] == (0, "")
    assert run(minified(source).encode(), tmp_path) == result
    assert run(pack_script(source.encode()).packed, tmp_path) == result


@pytest.mark.parametrize(
    ("source", "kept", "gone"),
    [
        (
            "import triton\nimport triton.language as tl\n@triton.jit\n"
            "def kernel(x_ptr, BLOCK: tl.constexpr):\n"
            "    offsets = tl.arange(0, BLOCK)\n    WIDTH: tl.constexpr = 2\n    tl.store(x_ptr + offsets, 1)\n"
            "def launch(values):\n    kernel[(1,)](values, BLOCK=64)",
            ["BLOCK:tl.constexpr", ":tl.constexpr=2", "x_ptr", "BLOCK", "kernel"],
            ["offsets", "launch", "values"],
        ),
        (
            "import torch\n@torch.library.custom_op('a::b', mutates_args=())\n"
            "def operator(first: torch.Tensor, second: int) -> torch.Tensor:\n"
            "    result = first * second\n    return result\n"
            "@operator.register_fake\ndef _(first, second):\n    return torch.empty_like(first)\n",
            ["first: ", "torch.Tensor", "second: ", "->"],
            ["result"],
        ),
        (
            "import torch\ndef operator(first: torch.Tensor) -> torch.Tensor:\n    return first\n"
            "made = torch.library.custom_op('a::b', operator, mutates_args=())\n",
            ["torch.Tensor", "->"],
            ["made"],
        ),
        (
            "import torch.nn as nn\nclass Net(nn.Module):\n    def forward(self, hidden_states):\n"
            "        return hidden_states\n    def state_dict(self, destination=None, prefix=''):\n        return {}\n"
            "print(Net())\n",
            ["Net", "forward", "destination", "prefix"],
            ["hidden_states", "self"],
        ),
    ],
)
def test_kernels_operators_and_modules(source: str, kept: list[str], gone: list[str]) -> None:
    text = minified(source)
    for word in kept:
        assert word.replace(" ", "") in text.replace(" ", "")
    for word in gone:
        assert word not in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n\nfor y in z:\n    exec(y)", ["line 4: exec() keeps all global names"]),
        ("def f(a):\n    return eval(a)", ["line 2: eval() keeps the names of its function and all global names"]),
        ("def f(a):\n    return locals()", ["line 2: locals() keeps the names of its function"]),
        ("def f(a):\n    return globals()", ["line 2: globals() keeps all global names"]),
        ("import sys\nsys.modules[__name__]", ["line 2: sys.modules keeps all global names"]),
        ("def f(a): pass\nprint(f.__name__)", ["line 2: __name__ keeps the names of all functions"]),
        (
            "import inspect\ndef f(a): pass\ninspect.signature(f)",
            ["line 3: inspect.signature keeps the names of all parameters and all annotations"],
        ),
        ("modules = 1\nsignature = 2\nprint(modules, signature)", []),
        ("import inspect, os\ninspect.signature(os.walk)", []),
        ("vars(object)\nexec('x', {})\neval('1')\nmodel.eval()", []),
        ("def f(a): pass\ngetattr(f, '__name__')", ["line 2: __name__ keeps the names of all functions"]),
        ("from m import __name__, signature", []),
        ("def exec(a): pass\nexec(1)", []),
    ],
)
def test_what_blocks_renaming_is_reported_with_its_line(source: str, expected: list[str]) -> None:
    assert [str(blocker) for blocker in pack_script(source.encode()).blockers] == expected


def test_a_blocker_keeps_no_more_than_it_must() -> None:
    text = minified("def f(alpha):\n    return locals()\ndef g(beta):\n    return beta\nf(1), g(1)\nother = g\n")
    assert "alpha" in text
    assert "beta" not in text
    assert "other" not in text


@pytest.mark.parametrize(
    ("source", "dropped"),
    [
        ("import os\nimport sys\nprint(sys.argv)", ["os"]),
        ("def a(): pass\ndef b(): a()\nprint()", ["a", "b"]),
        ("import torch_extension\nfrom os import path as p, sep\nprint(sep)", ["p"]),
        ("class A:\n    def f(self): pass\nX = 1\nprint()", ["A", "X"]),
        ("class A(Base): pass\nX = f()\n@g\ndef h(): pass\n", []),
        ("def f(x=g()): pass\nclass A:\n    x = g()\nclass B(metaclass=M): pass\n", []),
        ("def named(): pass\nprint('calls named now')", []),
        ("def f(): pass\nprint(globals())", []),
        ("import concurrent.futures\nimport concurrent.futures.thread as t\nprint(concurrent)", []),
        ("try:\n    import os\nexcept ImportError:\n    pass\nx = f()", []),
        ("from __future__ import division\nprint()", []),
    ],
)
def test_definitions_that_nothing_uses(source: str, dropped: list[str]) -> None:
    assert pack_script(source.encode()).dropped == dropped


def test_packed_scripts_are_packed_again() -> None:
    inner = "value = 1\nprint('inner', value)\n" * 40
    stub = f"import os, zlib\nos.environ.setdefault('A', '1')\nexec(zlib.decompress({zlib.compress(inner.encode())!r}))"
    result = pack_script(stub.encode())
    assert result.layers == ["zlib"]
    source = unpack(result.packed).source
    assert "setdefault('A','1')" in source
    assert source.count("print(") == 40


def test_a_short_script_is_only_minified() -> None:
    assert pack_script(b"x = 1  # a comment\nprint( x )\n").packed == b"A=1\nprint(A)"
    assert pack_script(b"").packed == b""


def test_equal_input_gives_equal_bytes() -> None:
    source = BEHAVIOURS["settings"].encode()
    assert pack_script(source).packed == pack_script(source).packed


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x = = 1", "expected Python source, found: invalid syntax in line 1"),
        (b"return 1", "'return' outside function in line 1"),
        (b"x = 1\0", "expected Python source"),
        (b"\xff", "expected Python source"),
        (b"x = " + b"-" * 5000 + b"1", "expected Python source"),
        (b"x = " + b" + ".join([b"y"] * 3000), "nested too deeply"),
        (b"y = 1\nx = 0x" + b"f" * 5000, "numbers that Python can print, found a longer one in line 2"),
        (b"import zlib\nexec(zlib.decompress(open('x', 'rb').read()))", "expected literals and known decoders"),
    ],
)
def test_errors_are_one_clear_line(data: bytes, expected: str) -> None:
    with pytest.raises(GolfError) as caught:
        pack_script(data)
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_fstring_that_python_3_11_cannot_read() -> None:
    source = b'print(f"{a[b"\\0"]}")\n'
    result = pack_script(source)
    assert (result.packed, result.form) == (source, "text as it is")
    assert "cannot be written for Python 3.11: a field of an f-string needs a backslash" in result.proven[0]
    with pytest.raises(GolfError, match="--define: expected a program that can be written anew"):
        pack_script(b"SIZE = 1\n" + source, {"SIZE": "2"})


def test_warnings_of_the_source_are_not_those_of_packing() -> None:
    source = b'value = 1\nassert (value, "text")\nprint("\\d", value is 1)\n'
    with pytest.raises(SyntaxError):  # which a warning becomes here
        compile(source, "script", "exec")
    pack_script(source)


def test_nothing_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    pack_script(f"import os\nopen({str(target)!r}, 'w').close()\nos.environ['X'] = '1'".encode())
    assert not target.exists()


def test_a_changed_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "print_tree", lambda tree: ast.unparse(tree).replace("1", "2"))
    with pytest.raises(GolfError, match="a bug of golf pack") as caught:
        pack_script(b"print(1)")
    assert isinstance(caught.value.__cause__, NotEqual)
