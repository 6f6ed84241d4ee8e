"""Functions and classes whose calls are not all in the program keep what others may call them by, or read of them."""

from pathlib import Path

import pytest

from tests.support.foreign import assert_stays_the_same, guards_of, minified
from toolkit.bundle.foreign.escapes import callers
from toolkit.bundle.foreign.guards import Caution

SCALED = "def scaled(value_in, factor_by=2):\n    return value_in * factor_by\n"

PROGRAMS = {
    "a lambda that a library calls by keyword": """
import argparse
wide = argparse.ArgumentParser("p", formatter_class=lambda prog: argparse.RawTextHelpFormatter(prog, width=99))
print(wide.format_usage())
""",
    "a factory that json calls by keyword": """
import json
class Encoder(json.JSONEncoder):
    def __init__(self, *, skipkeys, ensure_ascii, check_circular, allow_nan, indent, separators, default, sort_keys):
        super().__init__(indent=indent)
print(json.dumps([1], cls=Encoder, indent=1))
""",
    "a constructor that argparse calls by keyword": """
import argparse
class Upper(argparse.Action):
    def __init__(self, option_strings, dest, **others):
        super().__init__(option_strings, dest, **others)
    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, values.upper())
parser = argparse.ArgumentParser()
parser.add_argument("--name", action=Upper)
print(parser.parse_args(["--name", "x"]))
""",
    "partial": f"import functools\n{SCALED}print(functools.partial(scaled, factor_by=5)(2))",
    "partial renamed": f"from functools import partial as p\n{SCALED}q = p(scaled, factor_by=5)\nprint(q(2))",
    "an executor": f"""
from concurrent.futures import ThreadPoolExecutor
{SCALED}
with ThreadPoolExecutor() as pool:
    print(pool.submit(scaled, value_in=3, factor_by=4).result())
""",
    "a thread with a dictionary of keywords": """
import threading
def work(item_name, times_count):
    print(item_name * times_count)
keywords = {"item" + "_name": "a", "times_count": 3}
thread = threading.Thread(target=work, kwargs=keywords)
thread.start()
thread.join()
""",
    "a table of functions": f"{SCALED}print({{'s': scaled}}['s'](value_in=2, **{{'factor' + '_by': 1}}))",
    "a function that is returned": f"""
{SCALED}
def chosen():
    return scaled
print(chosen()(value_in=1), chosen().__name__)
""",
    "a decorator of the program": """
def logged(function):
    def wrapper(*args, **kwargs):
        print(function.__name__)
        return function(*args, **kwargs)
    return wrapper
@logged
def decorated_thing(alpha_one, beta_two=1):
    return alpha_one, beta_two
print(decorated_thing(alpha_one=1))
""",
    "a decorator with the name of a known one": """
def property(function):
    return function(**{"alpha" + "_one": 2})
class Holder:
    @property
    def held(alpha_one):
        return alpha_one
print(Holder.held)
""",
    "a registry": """
handlers = {}
def register(function):
    handlers[function.__name__] = function
    return function
@register
def on_start(payload_data):
    return payload_data
print(handlers["on_start"](**{"payload" + "_data": 3}))
""",
    "getattr by a text that is put together": """
class Commands:
    def command_add(self, left_item, right_item):
        return left_item + right_item
    def run(self, name, options):
        return getattr(self, "command_" + name)(**options)
print(Commands().run("add", {"left_" + "item": 1, "right_" + "item": 2}))
""",
    "a bound method that is stored": """
class Model:
    def forward_pass(self, hidden_states, mask_given=None):
        return hidden_states, mask_given
step = Model().forward_pass
arguments = {"hidden_" + "states": 1}
print(step(**arguments))
""",
    "constructors called without the name of the class": """
class Base:
    def __init__(self, width_in=1):
        self.width = width_in
    @classmethod
    def make(cls):
        return cls(width_in=7)
    def twin(self):
        return type(self)(width_in=self.width + 1)
    def other(self):
        return self.__class__(width_in=9)
base = Base()
print(base.make().width, base.twin().width, base.other().width)
""",
    "an object that is called": """
class Scale:
    def __call__(self, value_in, factor_by=2):
        return value_in * factor_by
print(list(map(Scale(), [1])), Scale()(value_in=1), Scale()(**{"factor" + "_by": 3, "value_in": 2}))
""",
    "a mapping of the program as keywords": """
import collections.abc
class Options(collections.abc.Mapping):
    def __getitem__(self, key): return 4
    def __iter__(self): return iter(["beta" + "_value"])
    def __len__(self): return 1
def taken(beta_value):
    return beta_value
print(taken(**Options()))
""",
    "names that functions show when printed": """
def outer_function():
    def inner_function():
        pass
    class Inner:
        pass
    return inner_function, Inner
print(*[str(thing).split(" at ")[0] for thing in outer_function()])
""",
    "a class in the place of a missing module": """
try:
    from missing_module_of_nobody import Counter
except ImportError:
    class Counter:
        def added(self, first_part, second_part=0):
            return first_part + second_part
add = Counter.added
print(add(None, 1, **{"second" + "_part": 2}), Counter().added(**{"first" + "_part": 3}))
""",
    "a property with a setter": """
class Box:
    def __init__(self):
        self._size = 1
    @property
    def size(self):
        return self._size
    @size.setter
    def size(self, value_given):
        self._size = value_given
box = Box()
box.size = 5
print(box.size)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same(name: str, tmp_path: Path) -> None:
    assert_stays_the_same(PROGRAMS[name], tmp_path)


def test_objects_are_called_for_what_they_can_do(tmp_path: Path) -> None:
    source = """
import codecs, logging, sys
class Lines:
    def read(self, wanted_size=-1): return b"ab"
    def write(self, given_text): print("wrote", given_text)
class Sieve:
    def filter(self, given_record): return False
def others(file, sieve):
    exec("file.write(given_text=file.read(wanted_size=2)); print(sieve.filter(given_record=1))", {**locals()})
others(Lines(), Sieve())
"""
    assert_stays_the_same(source, tmp_path)
    blockers = [str(blocker) for blocker in guards_of(source).blockers]
    assert "line 7: Sieve.filter keeps the parameters of filter" in blockers
    assert not any("Sieve" in str(blocker) for blocker in guards_of(source, Caution.POSITIONAL).blockers)


def test_a_module_is_called_by_position() -> None:
    assert "given" not in minified("import torch\nclass Net(torch.nn.Module):\n def forward(self, given): return given")


def test_torch_calls_what_it_was_handed(tmp_path: Path) -> None:
    source = """
import torch
@torch.library.custom_op("tests::halved", mutates_args=())
def halved(numbers: torch.Tensor) -> torch.Tensor:
    return numbers / 2
@halved.register_fake
def _(numbers):
    return torch.empty_like(numbers)
def keep_nothing(ctx, inputs, output):
    ctx.scale = 0.5
halved.register_autograd(lambda ctx, grad: grad * ctx.scale, setup_context=keep_nothing)
class Double(torch.nn.Module):
    def forward(self, hidden_states):
        return hidden_states * 2
    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        return {prefix + "own": 1}
    def train(self, mode=True):
        return super().train(mode=mode)
leaf = torch.ones(2, requires_grad=True)
halved(leaf).sum().backward()
print(leaf.grad, torch.nn.Sequential(Double()).eval().state_dict())
"""
    assert_stays_the_same(source, tmp_path)


@pytest.mark.parametrize(
    ("source", "gone"),
    [
        (f"{SCALED}print(scaled(1))", ["scaled", "value_in", "factor_by"]),
        (f"import torch\n{SCALED}run = torch.compile(scaled)\nprint(run(1))", ["scaled", "value_in"]),
        (f"import torch as t\n{SCALED}scaled = t.compile(scaled)\nprint(scaled(1))", ["value_in"]),
        ("print(sorted(f, key=lambda item_value: -item_value))", ["item_value"]),
        ("rows.sort(key=lambda item_value: -item_value)", ["item_value"]),
        (f"{SCALED}def apply(function, value):\n    return function(value)\nprint(apply(scaled, 1))", ["value_in"]),
        (f"{SCALED}other = scaled if x else None\nprint(other(1))", ["scaled", "value_in"]),
        (
            "class A:\n    def __init__(self, width_in):\n        self.x = width_in\nprint(A(1).x, isinstance(y, A))",
            ["width_in"],
        ),
        ("class A:\n    def f(self, width_in):\n        return width_in\nprint(A().f(1))", ["width_in"]),
        (
            "class A(Exception):\n    def f(self, width_in):\n        return width_in\ntry: x\nexcept A: pass",
            ["width_in"],
        ),
        (
            "class A:\n    def f(self, width_in):\n        return width_in\nclass B:\n    x = 1\n"
            "b = B()\nprint(A().f(1), [getattr(b, n) for n in dir(b)])",
            ["width_in"],
        ),
        ("class A:\n    def f(self, width_in):\n        return width_in\nx = getattr(a, f'g_{y}')", ["width_in"]),
        ("class A:\n    def f(self, width_in):\n        return type(self).__name__\nprint(A().f(1))", ["width_in"]),
    ],
)
def test_what_is_only_called_keeps_nothing(source: str, gone: list[str]) -> None:
    text = minified(source)
    assert [word for word in gone if word in text] == []


@pytest.mark.parametrize(
    ("source", "blocker"),
    [
        (f"{SCALED}register(scaled)", "line 3: register(scaled) keeps what can be read of scaled"),
        (f"{SCALED}register(call=scaled)", "line 3: register(call=scaled) keeps what can be read of scaled"),
        (f"{SCALED}def f():\n    return scaled", "line 4: return scaled keeps what can be read of scaled"),
        ("register(lambda item: 1)", "line 1: register(lambda item: 1) keeps the parameters of a lambda"),
        ("@other\ndef f(a): pass", "line 1: @other keeps what can be read of f"),
        ("import m\nclass A(m.B):\n    def f(self, a): pass", "line 2: class A(m.B) keeps what can be read of A"),
        ("class A: pass\nregister(A)", "line 2: register(A) keeps what can be read of A"),
    ],
)
def test_an_escape_is_reported_once_and_can_be_assumed_away(source: str, blocker: str) -> None:
    assert [(str(b), b.caution) for b in guards_of(source).blockers] == [(blocker, Caution.POSITIONAL)]
    assert guards_of(source, Caution.POSITIONAL).blockers == []


def test_without_readers_only_parameters_stay() -> None:
    source = f"{SCALED}register(scaled)"
    kept = {binding.name for binding in guards_of(source, Caution.UNREAD).kept}
    assert kept == {"value_in", "factor_by"}
    assert {binding.name for binding in guards_of(source).kept} == kept | {"scaled"}


def test_the_table_of_bases_is_closed() -> None:
    bases = callers()["bases"]
    assert all(isinstance(named, list) or isinstance(bases[named], list) for named in bases.values())
