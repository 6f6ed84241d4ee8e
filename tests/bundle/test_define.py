"""Fixing settings of a foreign script: what is replaced, how far it carries, and what must not be touched."""

import ast

import pytest

from toolkit.bundle.foreign.define import define
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError


def defined(source: str, **values: str) -> str:
    return ast.unparse(define(ast.parse(source), values))


SETTINGS = (
    "import os\nclass H:\n    use = bool(int(os.environ.get('USE', '1')))\n    n = int(os.environ.get('N', 4))\n"
    "def f(h, x):\n    if h.use:\n        g(x)\n    return h.n\ndef main():\n    args = H()\n    f(args, 1)\nmain()\n"
)


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("import os\nx = int(os.environ.get('N', '4')) * 2\n", {"N": "8"}, "import os\nx = 16\n"),
        ("import os\nx = os.environ['N']\n", {"N": "8"}, "import os\nx = '8'\n"),
        ("from os import getenv\nx = getenv('N')\n", {"N": "8"}, "from os import getenv\nx = '8'\n"),
        ("import os\nif 'N' in os.environ:\n    a()\nelse:\n    b()\n", {"N": ""}, "import os\na()\n"),
        ("N = 4\nif N > 5:\n    a(N)\n", {"N": "8"}, "N = 8\na(8)\n"),
        ("N: int = 4\na(N, lambda N: N)\n", {"N": "8"}, "N: int = 8\na(8, lambda N: N)\n"),
        ("NAME = 'x'\na(NAME)\n", {"NAME": "some text"}, "NAME = 'some text'\na('some text')\n"),
        ("N = 4\nM = N * 2\nif M == 16:\n    a()\n", {"N": "8"}, "N = 8\nM = 16\na()\n"),
        (
            SETTINGS,
            {"USE": "0"},
            "import os\nclass H:\n    use = False\n    n = int(os.environ.get('N', 4))\n"
            "def f(h, x):\n    return h.n\ndef main():\n    args = H()\n    f(args, 1)\nmain()\n",
        ),
    ],
)
def test_defines(source: str, values: dict[str, str], expected: str) -> None:
    assert ast.dump(ast.parse(defined(source, **values))) == ast.dump(ast.parse(expected))


@pytest.mark.parametrize(
    "change",
    [
        ("f(args, 1)", "f(args, 1)\n    f(other, 1)"),  # somebody else's object
        ("args = H()", "args = H()\n    args.use = True"),  # set later
        ("args = H()", "args = H()\n    setattr(args, 'use', True)"),
        ("args = H()", "args = H()\n    for k in x: setattr(args, k, True)"),
        ("args = H()", "args = H()\n    args.__dict__.update(x)"),
        ("args = H()", "args = H()\n    args = other"),
        ("f(args, 1)", "f(args, 1)\n    x(f)"),  # may be called by anybody
        ("class H:", "class H(Base):"),
        ("class H:", "@decorated\nclass H:"),
        ("    n =", "    use = x\n    n ="),  # bound twice
    ],
)
def test_an_attribute_that_may_be_something_else_stays(change: tuple[str, str]) -> None:
    source = SETTINGS.replace(*change)
    assert source != SETTINGS
    assert "if h.use" in defined(source, USE="0")


def test_what_settings_decide_is_dropped() -> None:
    source = SETTINGS + "def g(x):\n    print(x)\n"
    assert pack_script(source.encode()).dropped == []
    assert pack_script(source.encode(), {"USE": "0"}).dropped == ["g"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"USES": "1"}, "--define USES: expected an environment variable or a constant, found none; did you mean USE?"),
        ({"ZZZ": "1"}, "--define ZZZ: expected an environment variable or a constant, found none"),
    ],
)
def test_settings_that_are_not_there(values: dict[str, str], expected: str) -> None:
    with pytest.raises(GolfError) as caught:
        defined(SETTINGS, **values)
    assert str(caught.value) == expected


def test_a_constant_that_is_bound_twice_is_none() -> None:
    with pytest.raises(GolfError, match="found none"):
        defined("N = 4\nif x:\n    N = 5\n", N="8")


@pytest.mark.parametrize(
    "statement",
    [
        'os.environ["STEPS"] = "7"',
        'os.environ.setdefault("STEPS", "7")',
        'os.environ.pop("STEPS")',
        'del os.environ["STEPS"]',
    ],
)
def test_a_setting_that_the_program_writes_is_none(statement: str) -> None:
    source = f'import os\n{statement}\nprint(os.environ.get("STEPS"), os.environ.get("SEED"))\n'
    with pytest.raises(
        GolfError, match=r"--define STEPS: expected a setting that the program only reads, .* in line 2"
    ):
        define(ast.parse(source), {"STEPS": "9"})
    define(ast.parse(source), {"SEED": "1"})
