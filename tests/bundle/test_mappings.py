"""Calls with `**mapping`: names of parameters that no text of the program shows."""

import ast
from pathlib import Path

import pytest

from tests.support.foreign import assert_stays_the_same, guards_of, minified
from toolkit.bundle.foreign.guards import Caution
from toolkit.bundle.foreign.mappings import find_pins
from toolkit.bundle.foreign.program import Program
from toolkit.bundle.rewrite.scopes import find_bindings

PAIR = "def paired(first_item=1, second_item=2):\n    return first_item, second_item\n"

PROGRAMS = {
    "parsed arguments": f"""
import argparse
{PAIR}
parser = argparse.ArgumentParser()
parser.add_argument("--first-item", type=int, default=3)
print(paired(**vars(parser.parse_args([]))))
""",
    "fields": f"""
import dataclasses
{PAIR}
@dataclasses.dataclass
class Fields:
    second_item: int = 5
print(paired(**dataclasses.asdict(Fields())))
""",
    "keys that are put together": f"{PAIR}print(paired(**{{f'{{which}}_item': 7 for which in ('first', 'second')}}))",
    "a file": f"import json\n{PAIR}print(paired(**json.loads('{{\"second_' + 'item\": 1}}')))",
    "a mapping that is filled later": f"""
{PAIR}
options = {{}}
options["first" + "_item"] = 4
print(paired(**options))
given = dict(second_item=1)
given.update({{"first" + "_item": 2}})
print(paired(**given))
""",
    "handed through": f"""
{PAIR}
def through(**keywords):
    return paired(**keywords)
print(through(first_item=3), through(**{{"second" + "_item": 4}}))
""",
    "handed through by a function that escapes": f"""
import functools
{PAIR}
def through(**keywords):
    return paired(**keywords)
print(functools.partial(through, second_item=4)())
""",
    "a constructor and that of its base": """
class Base:
    def __init__(self, size_of=1, **others):
        self.size = size_of
class Derived(Base):
    def __init__(self, **others):
        super().__init__(**others)
class Plain(Base):
    pass
print(Derived(**{"size" + "_of": 4}).size, Plain(**{"size" + "_of": 5}).size)
""",
    "a method": """
class Model:
    def step(self, rate_used, /, decay_used=0):
        return rate_used, decay_used
print(Model().step(1, **{"decay" + "_used": 2}))
""",
    "one of two definitions": """
import sys
if sys.argv:
    def chosen(alpha_value): return alpha_value
else:
    def chosen(alpha_value): return -alpha_value
print(chosen(**{"alpha" + "_value": 2}))
""",
    "a name for a choice": f"{PAIR}f = paired if PAIRS else None\nprint(f(**{{'first' + '_item': 2}}))".replace(
        "PAIRS", "1"
    ),
    "a class by its type": """
class Config:
    def __init__(self, width_of=1):
        self.width_of = width_of
config = Config()
print(type(config)(**vars(config)).width_of)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same(name: str, tmp_path: Path) -> None:
    assert_stays_the_same(PROGRAMS[name], tmp_path)


@pytest.mark.parametrize(
    "call",
    [
        "paired(**{'second': 1})",
        "paired(**dict(second=1))",
        "print(**options)",
        "module.call(**options)",
        "through(first=1)",
    ],
)
def test_keys_that_are_known_or_go_elsewhere_pin_nothing(call: str) -> None:
    source = f"import module\ndef through(**k):\n    return paired(**k)\n{PAIR}options = read()\n{call}"
    assert guards_of(source).blockers == []
    assert "first_item" not in minified(source)


@pytest.mark.parametrize(
    ("call", "construct", "keeps"),
    [
        ("paired(**read())", "paired(**read())", "the parameters of paired"),
        ("x.paired(**read())", "x.paired(**read())", "the parameters of all paired"),
        ("x(**read())", "x(**read())", "the parameters of all that may be stored"),
    ],
)
def test_what_a_mapping_pins_is_reported_and_can_be_assumed_away(call: str, construct: str, keeps: str) -> None:
    source = f"{PAIR}class A:\n    def paired(self, third_item): pass\nx = A()\n{call}"
    [blocker] = guards_of(source).blockers
    assert (blocker.line, blocker.construct, blocker.keeps, blocker.caution) == (6, construct, keeps, Caution.KEYS)
    assert guards_of(source, Caution.KEYS).blockers == []


def test_a_mapping_reaches_the_constructors_of_all_bases() -> None:
    base = "class A:\n    def __init__(self, a): pass\n"
    derived = "class B(A):\n    def __init__(self, b): pass\n    def f(self, c): pass\n"
    tree = ast.parse(f"{base}{derived}B(**read())")
    [pin] = find_pins(Program(tree, find_bindings(tree)))
    assert sorted(function.args.args[1].arg for function in pin.functions) == ["a", "b"]
