"""Bodies of classes that run in a mapping of their metaclass keep the names that they ask it for."""

from pathlib import Path

import pytest

from tests.support.foreign import assert_stays_the_same, minified

METACLASS = """
class Space(dict):
    def __missing__(self, key):
        if key.startswith("__") or key == "print":
            raise KeyError(key)
        return key.upper()
class Meta(type):
    @classmethod
    def __prepare__(metacls, name, bases, **options):
        return Space()
    def __new__(metacls, name, bases, space, **options):
        return super().__new__(metacls, name, bases, dict(space))
given_value = 3
"""

PROGRAMS = {
    "a metaclass": "class Body(metaclass=Meta):\n    held = given_value\nprint(Body.held, given_value)",
    "a metaclass of a base": """
class Base(metaclass=Meta):
    pass
class Body(Base):
    held = given_value, missing_value
print(Body.held, given_value)
""",
    "keywords that hold a metaclass": """
options = {"metaclass": Meta}
class Body(**options):
    held = given_value
print(Body.held, given_value)
""",
    "a base that is made": """
class Body(Meta("Base", (), {})):
    held = given_value
print(Body.held, given_value)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same(name: str, tmp_path: Path) -> None:
    assert_stays_the_same(METACLASS + PROGRAMS[name], tmp_path)


@pytest.mark.parametrize("bases", ["", "(object)", "(abc.ABC)", "(dict)", "(Generic[int])", "(metaclass=abc.ABCMeta)"])
def test_a_plain_mapping_asks_for_no_name(bases: str) -> None:
    source = f"import abc\nfrom typing import Generic\ngiven_value = 3\nclass Body{bases}:\n    held = given_value\n"
    assert "given_value" not in minified(f"{source}print(Body.held, given_value, given_value, given_value)")
