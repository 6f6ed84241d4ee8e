"""What a program reads of itself stays: names, annotations, docstrings, and where it must the text and the stack."""

from pathlib import Path

import pytest

from tests.support.foreign import assert_stays_the_same, guards_of, minified
from toolkit.bundle.foreign.guards import Caution, Reading
from toolkit.bundle.foreign.readers import Effect, tables

DOCUMENTED = '''
def documented(alpha_value: int, beta_value: "str" = "b") -> float:
    """What it does."""
class Holder:
    """What it holds."""
    width: int = 3
    def method(self, gamma_value: int):
        "What it does there."
'''

PROGRAMS = {
    "signatures": f"import inspect as i\n{DOCUMENTED}print(i.signature(documented), i.signature(Holder().method))",
    "signatures under a name": f"import inspect\nseen = inspect.signature\n{DOCUMENTED}print(seen(documented))",
    "a module by its name": f"""
import importlib
look = importlib.import_module("inspect")
{DOCUMENTED}
print(look.getfullargspec(documented), look.getdoc(Holder))
""",
    "docstrings": f"from inspect import getdoc as doc\n{DOCUMENTED}print(doc(documented), doc(Holder().method))",
    "all of a module": f"from inspect import *\n{DOCUMENTED}print(getdoc(Holder), get_annotations(Holder))",
    "hints": f"import typing\n{DOCUMENTED}print(typing.get_type_hints(documented), typing.get_type_hints(Holder))",
    "attributes by name": f"{DOCUMENTED}print(getattr(documented, '__doc__'), getattr(Holder, '__annotations__'))",
    "attributes of a type": f"{DOCUMENTED}print(type(Holder()).__dict__['__doc__'], vars(Holder)['__annotations__'])",
    "the docstring of the module": '''
"""Usage of it."""
import argparse
print(argparse.ArgumentParser("p", description=__doc__).format_help())
''',
    "a docstring and a text after it": 'def f():\n    "first"\n    "second"\nprint(f.__doc__)',
    "a text that is no docstring": 'def f():\n    pass\n    "second"\nprint(f.__doc__)',
    "dispatch by annotations": """
import functools
@functools.singledispatch
def shown(value): return "any"
@shown.register
def _(value: int): return "int"
@shown.register
def _(value: list): return "list"
print(shown(1), shown([]), shown("x"))
""",
    "dataclass as a function": """
import dataclasses
class Plain:
    width: int = 3
print(dataclasses.dataclass(Plain)(width=4))
""",
    "doctest": '''
import doctest
def doubled(number):
    """
    >>> doubled(number=2)
    4
    """
    return 2 * number
print(doctest.testmod())
''',
    "unittest": '''
import io
import unittest
class Cases(unittest.TestCase):
    def test_one(self):
        """About one."""
        self.assertEqual(helper(one_value=1), 1)
def helper(one_value):
    return one_value
stream = io.StringIO()
unittest.main(exit=False, testRunner=unittest.TextTestRunner(stream, verbosity=2))
print([line for line in stream.getvalue().splitlines() if " in " not in line])
''',
    "a patched name": """
from unittest import mock
def loaded(): return 1
def used(): return loaded()
with mock.patch("__main__." + "loaded", lambda: 5):
    print(used())
""",
    "log lines": """
import logging, sys
logging.basicConfig(format="%(funcName)s %(message)s", stream=sys.stdout)
def long_function_name():
    logging.warning("hello")
long_function_name()
""",
    "locals of a caller": """
import sys
def shown():
    return sorted(sys._getframe(1).f_locals)
def worked():
    loss_value = 1
    return shown()
print(worked())
""",
    "the name of a caller": """
import sys
def asked(): return sys._getframe(1).f_code.co_name
def asking_function(): return asked()
print(asking_function())
""",
    "the module by import": """
import __main__
def build_small(size_given=1): return size_given
print(getattr(__main__, "build_" + "small")(**{"size" + "_given": 3}))
""",
    "a name from the module": "def build(): return 3\nfrom __main__ import build as again\nprint(again())",
    "the module by its own name": """
import importlib
def build_small(): return "small"
print(getattr(importlib.import_module(__name__), "build_" + "small")())
""",
    "the module in the table of modules": """
import sys
def build_small(): return "small"
print(getattr(sys.modules["__main__"], "build_" + "small")())
""",
    "pickles": """
import pickle
def module_level(): pass
class Held:
    pass
print(b"module_level" in pickle.dumps(module_level), type(pickle.loads(pickle.dumps(Held()))).__name__)
""",
    "a statement to time": """
import timeit
def timed_function(amount_of=1): print("run")
timeit.timeit("timed_function(amount_of=2)", "from __main__ import timed_function", number=1)
""",
    "code that is looked into": "def f(alpha_value):\n    beta_value = 1\nprint(f.__code__.co_varnames)",
    "generators": "def counted():\n    yield 1\nprint(counted().__name__)",
    "errors with names": """
def wanted(alpha_value): pass
try:
    wanted()
except TypeError as error:
    print(error)
def unbound():
    try:
        print(late_value)
    except UnboundLocalError as error:
        print(error)
    late_value = 1
unbound()
""",
    "errors under another name": """
KINDS = (TypeError, ValueError)
def wanted(alpha_value): pass
try:
    wanted()
except KINDS as error:
    print(error)
""",
    "errors that are told apart": """
def wanted(alpha_value): pass
try:
    wanted()
except Exception as error:
    print(error if isinstance(error, (TypeError, ValueError)) else "other")
""",
    "errors that others catch": """
import unittest
def unbound():
    print(late_value)
    late_value = 1
with unittest.TestCase().assertRaises(NameError) as caught:
    unbound()
print(caught.exception)
""",
    "locals under other names": """
from builtins import locals as seen
asked = vars
def alone(alpha_value): return sorted(seen())
def other(beta_value): return sorted(asked())
print(alone(1), other(1))
""",
    "looked up once": 'limit_value = 3\nother_value = 4\nprint("limit_value" in globals(), globals()["other_value"])',
    "asked for, and not there": """
def worker_function(value): return value
def other_function(value):
    held_value = value
    return [name in locals() for name in ("held_value", "missing")], "e" in locals(), "t" in locals(), held_value
print(worker_function(worker_function(3)), other_function(4))
print("A" in globals(), "B" not in globals(), globals().get("C"), "A" in vars(), "B" in dir())
for text in "ABst":
    pass
try:
    print(eval("A"))
except NameError:
    print("unbound")
""",
    "the statement about annotations": """
from __future__ import annotations
print(annotations.optional)
""",
    "code under the statement about annotations": """
from __future__ import annotations
space = {}
exec("def noted(value: missing): pass", space)
print(space["noted"].__annotations__)
""",
    "flags of code": """
from __future__ import annotations
import __future__
def plain(): pass
print(plain.__code__.co_flags & __future__.annotations.compiler_flag)
""",
    "a file of objects": """
import io, numpy
class Settings:
    width = 3
print(numpy.load(io.BytesIO(b"c__main__\\nSettings\\n."), allow_pickle=True).width)
""",
    "types as text": """
import argparse
def positive_number(text): raise ValueError
parser = argparse.ArgumentParser("p", exit_on_error=False)
parser.add_argument("--n", type=positive_number)
try:
    parser.parse_args(["--n", "1"])
except argparse.ArgumentError as error:
    print(error)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same(name: str, tmp_path: Path) -> None:
    assert_stays_the_same(PROGRAMS[name], tmp_path)


def test_torchscript_reads_annotations_of_all_it_reaches(tmp_path: Path) -> None:
    source = """
import torch
def raised(numbers, power: int):
    return numbers ** power
class Net(torch.nn.Module):
    def forward(self, numbers, power: int):
        return raised(numbers, power)
print(torch.jit.script(Net())(torch.full((2,), 3.0), 2))
"""
    assert_stays_the_same(source, tmp_path)


@pytest.mark.parametrize(
    ("source", "reading"),
    [
        ("import inspect\nprint(inspect.getsource(f))", Reading(lines=True)),
        ("import logging\nlogging.Formatter('%(lineno)d')", Reading(lines=True)),
        ("import sys\nprint(sys.exc_info()[2].tb_lineno)", Reading(lines=True)),
        ("import traceback\nprint(traceback.format_exc())", Reading(lines=True, frames=True)),
        ("import traceback\ntraceback.print_exc(file=log)", Reading(lines=True, frames=True)),
        (
            "import traceback, contextlib\nwith contextlib.redirect_stderr(log): traceback.print_exc()",
            Reading(True, True),
        ),
        ("import traceback\ntraceback.print_exc()", Reading()),
        ("import sys\nsys.excepthook = print", Reading(lines=True, frames=True, namespace=True)),
        ("import sys\nx = 1\nsys._getframe()", Reading(frames=True, namespace=True)),
        ("x = 1\nprint(globals())", Reading(namespace=True)),
        ("print('t' in globals())", Reading(namespace=True)),
        ("print(eval(read()))", Reading(namespace=True)),
        ("def f(): return locals()", Reading()),
        ("x = 1\nimport __main__\nprint(__main__)", Reading(namespace=True)),
        ("print(open(__file__).read())", Reading(own_file=True)),
        ("import sys\nopen(sys.argv[0])", Reading(own_file=True)),
        ("from sys import argv\nrun(argv)", Reading(own_file=True)),
        ("import sys\nprint(sys.argv[1], sys.argv[2:], len(sys.argv), '--x' in sys.argv)", Reading()),
        ("import inspect, torch\nprint(inspect.getsource(torch.compile))", Reading()),
        ("import sys\nprint('numpy' in sys.modules, sys.modules['numpy'])", Reading()),
        (
            "import sys\nprint(hasattr(sys, 'gettrace'), getattr(sys, 'platform'), setattr(sys, 'stdout', log))",
            Reading(),
        ),
        ("import sys\nx = 1\nprint(getattr(sys, '_getframe')())", Reading(frames=True, namespace=True)),
        ("import os, sys\nsys.exit(os.getpid())", Reading()),
    ],
)
def test_what_is_read_beyond_names(source: str, reading: Reading) -> None:
    assert guards_of(source).reading == reading


@pytest.mark.parametrize(
    ("source", "gone"),
    [
        ("import inspect\ndef f(alpha): return inspect.signature(print)\nprint(f(1))", ["alpha"]),
        ("import inspect\ndef f(alpha): return inspect.isclass(alpha)\nprint(f(1))", ["alpha"]),
        ('"""Text."""\ndef f():\n    "inner text"\nprint(f(), __doc__)', ["inner text"]),
        ('alpha = 1\nbeta = 2\nprint(alpha, "beta" in globals())', ["alpha"]),
        ('alpha = 1\nbeta = 2\nname = "beta"\nprint(alpha, name in dir(), globals().get(name))', ["alpha"]),
        ("def f(alpha): raise TypeError(alpha)\ntry: f(1)\nexcept TypeError: print(1)", ["alpha"]),
        ("def long_name(a): return type(a).__name__\nprint(long_name(1))", ["long_name"]),
        ("def f(alpha: float) -> str: return alpha\nprint(f(1))", ["alpha", "float", "str"]),
    ],
)
def test_what_nobody_reads_goes(source: str, gone: list[str]) -> None:
    text = minified(source)
    assert [word for word in gone if word in text] == []


def test_attributes_that_python_finds_by_the_word_self() -> None:
    source = "class A:\n def f(self, given):\n  self.width = given\nprint(A.__static_attributes__, A().f(1))"
    assert "self.width" in minified(source)
    assert "self" not in minified(source.replace("A.__static_attributes__", "A"))


def test_readers_can_be_assumed_away() -> None:
    source = f"import inspect, sys\n{DOCUMENTED}sys._getframe()\nprint(inspect.signature(Holder().method), globals())"
    guards = guards_of(source, Caution.UNREAD)
    assert guards.reading == Reading()
    assert guards.namespace == set()
    assert guards.blockers == []


def test_tables_hold_effects_that_exist() -> None:
    effects = tables()
    for section in ("names", "attributes", "texts", "errors"):
        for listed in effects[section].values():
            assert {Effect(effect) for effect in listed} <= set(Effect)
