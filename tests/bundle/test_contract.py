"""The contract of components: a violation of each point is found with its line, and our own components keep it."""

from pathlib import Path
from textwrap import dedent

import pytest

from toolkit.bundle.link.contract import check_modules
from toolkit.bundle.link.resolve import COMPONENTS_DIR, read_folder, read_modules
from toolkit.components import config

GOOD = '''
"""A component that uses everything the contract allows."""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from toolkit.components.config import Config
from toolkit.components.second import Helper, helped

LIMIT = 2**10
NAMES: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Settings:
    """Fields."""

    width: int = LIMIT
    names: list[str] = field(default_factory=list)

    @property
    def double(self) -> int:
        return 2 * self.width


class Layer(torch.nn.Module):
    size = 3

    def __init__(self, cfg: Config, depth: int = -1) -> None:
        self.cfg = cfg
        self.helper = Helper(cfg)

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> float:
        return helped(self.cfg, math.log(self.cfg.model.num_layers)) + self.step(self.cfg)

    def step(self, cfg: Config) -> float:
        try:
            import flash_attn_interface
        except ImportError:
            return getattr(self, "size") + F.relu(cfg.model.qk_gain)
        return flash_attn_interface.version


def make(cfg: Config) -> Layer:
    layers = [Layer(cfg, depth) for depth in range(cfg.model.num_layers)]
    return layers[0] if isinstance(layers[0], Layer) else Layer(cfg)
'''

SECOND = """
from toolkit.components.config import Config


class Base:
    def __init__(self, cfg: Config) -> None:
        self.width = cfg.model.model_dim


class Helper(Base):
    pass


def helped(cfg: Config, x: float) -> float:
    def inner(cfg: Config) -> float:
        return cfg.model.qk_gain

    return x * inner(cfg)
"""


def violations(tmp_path: Path, *sources: str) -> list[str]:
    return violations_in(tmp_path, dict(zip(("first.py", "second.py", "third.py"), sources, strict=False)))


def violations_in(folder: Path, sources: dict[str, str]) -> list[str]:
    """Violations in components given by path."""
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(source).lstrip())
    return [str(violation).replace(f"{folder}/", "") for violation in check_modules(read_folder(folder))]


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    assert violations(tmp_path, GOOD, SECOND) == []


def test_a_literal_may_be_long(tmp_path: Path) -> None:
    assert violations(tmp_path, f"SOURCE = {'int x;' * 1000!r}\n") == []


def test_our_components_keep_the_contract() -> None:
    assert len(read_folder(COMPONENTS_DIR)) > 40
    assert check_modules(read_folder(COMPONENTS_DIR)) == []


CASES = {
    "1 statement": ("x = 1\n", 1, "x is no constant"),
    "1 computed constant": ("import math\n\nX = math.sqrt(2)\n", 3, "constant X is no literal"),
    "1 call": ('"""Doc."""\n\nprint(1)\n', 3, "effect at the top level"),
    "1 condition": ("if 1:\n    X = 1\n", 1, "effect at the top level"),
    "1 main block": ('if __name__ == "__main__":\n    pass\n', 1, "effect at the top level"),
    "1 decorator": (
        "import functools\n\n\n@functools.cache\ndef f(x):\n    return x\n",
        4,
        "decorator functools.cache",
    ),
    "1 default value": ("def f(x=open('a')):\n    return x\n", 1, "call in a default value"),
    "1 class body": ("class A:\n    print(1)\n", 2, "effect in a class body"),
    "1 class attribute": ("class A:\n    x = open('a')\n", 2, "call in a class body"),
    "2 plain import of ours": ("import toolkit.components.model.gpt\n", 1, "bundler cannot follow"),
    "2 relative": ("from . import gpt\n", 1, "bundler cannot follow"),
    "2 another package of ours": ("from toolkit.errors import GolfError\n", 1, "bundler cannot follow"),
    "2 alias": ("from toolkit.components.model.gpt import GPT as G\n", 1, "under another name"),
    "2 starred ours": ("from toolkit.components.model.gpt import *\n", 1, "under another name"),
    "2 conditional ours": (
        "def f():\n    from toolkit.components.model.gpt import GPT\n    return GPT\n",
        2,
        "conditional",
    ),
    "2 more than Config": ("from toolkit.components.config import TRACKS\n", 1, "more than Config"),
    "2 starred foreign": ("from math import *\n", 1, "starred import"),
    "2 dotted": ("import os.path\n", 1, "dotted import"),
    "2 future": ("from __future__ import annotations\n", 1, "__future__"),
    "2 package that may be missing": ("import scipy\n", 1, "may be missing"),
    "2 inside a function": ("def f():\n    import math\n    return math\n", 2, "move it to the top"),
    "2 below a definition": ("def f():\n    return 1\n\n\nimport math\n", 5, "below a definition"),
    "3 builtin": ("def max(x):\n    return x\n", 1, "hides a builtin"),
    "3 twice": ("def f():\n    return 1\n\n\ndef f():\n    return 2\n", 5, "f is bound at"),
    "3 import and definition": ("from math import pi\n\n\ndef pi():\n    return 2\n", 4, "pi is bound at"),
    "4 section": ("def f(cfg):\n    m = cfg.model\n    return m\n", 2, "the whole section cfg.model"),
    "4 value": ("def f(cfg):\n    return [cfg]\n", 2, "cfg is used as a value"),
    "4 keyword": ("def g(cfg):\n    return 1\n\n\ndef f(cfg):\n    return g(cfg=cfg)\n", 6, "passed by keyword"),
    "4 place": ("def f(x, cfg):\n    return x\n", 1, "does not come first"),
    "4 getattr": ("def f(cfg):\n    return getattr(cfg, 'name')\n", 2, "cfg is passed to getattr"),
    "4 foreign function": ("def f(cfg):\n    print(cfg)\n", 2, "cfg is passed to print"),
    "4 foreign method": ("def f(cfg, x):\n    x.append(cfg)\n", 2, "cfg is passed to append"),
    "4 forgotten": ("def g(cfg):\n    return 1\n\n\ndef f(cfg):\n    return g()\n", 6, "g is called without cfg"),
    "4 function as a value": ("def g(cfg):\n    return 1\n\n\ndef f(cfg):\n    return [g]\n", 6, "used as a value"),
    "4 unknown setting": ("def f(cfg):\n    return cfg.train.sed\n", 2, "did you mean seed?"),
    "4 other object": ("def f(model):\n    return model.cfg.name\n", 2, "settings of another object"),
    "5 vars": ("def f(x):\n    return vars(x)\n", 2, "vars looks names up"),
    "5 eval": ("def f(x):\n    return eval(x)\n", 2, "eval looks names up"),
    "5 globals": ("def f(x):\n    return globals()[x]\n", 2, "globals looks names up"),
    "5 getattr": ("def f(x, y):\n    return getattr(x, y)\n", 2, "getattr with a computed name"),
    "6 name": ("def f(x):\n    return f'{type(x).__name__}'\n", 2, "__name__ changes"),
    "6 docstring": ("def f(x):\n    return f.__doc__\n", 2, "__doc__ changes"),
}


@pytest.mark.parametrize("case", CASES)
def test_violation(tmp_path: Path, case: str) -> None:
    source, line, text = CASES[case]
    found = violations(tmp_path, source)
    assert len(found) == 1, found
    assert found[0].startswith(f"first.py:{line}: ")
    assert text in found[0]


OF_THE_SETTINGS = "from toolkit.components.config import Config, depth\n\n\n"


@pytest.fixture
def depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of `cfg` alone beside the settings, and one that takes more."""
    monkeypatch.setattr(config, "depth", lambda cfg: cfg.model.num_layers, raising=False)
    monkeypatch.setattr(config, "depth_of", lambda cfg, name: name, raising=False)


def test_functions_of_cfg_may_be_imported_from_the_settings_and_called(tmp_path: Path, depth: None) -> None:
    source = "class A:\n    def __init__(self, cfg):\n        self.cfg = cfg\n        self.depth = depth(self.cfg)\n"
    assert violations(tmp_path, OF_THE_SETTINGS + source, "def depths():\n    return 1\n") == []


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def f(cfg):\n    return depth(cfg, 1)\n", "depth of the settings is used other than as depth(cfg)"),
        ("def f(cfg):\n    return [depth]\n", "depth of the settings is used other than as depth(cfg)"),
        ("def f(depth):\n    return 1\n", "depth of the settings is used other than as depth(cfg)"),
        ("def f(cfg, x):\n    return depth(x)\n", "depth of the settings is used other than as depth(cfg)"),
    ],
)
def test_functions_of_the_settings_are_only_called(tmp_path: Path, depth: None, source: str, text: str) -> None:
    (found,) = violations(tmp_path, OF_THE_SETTINGS + source)
    assert text in found


@pytest.mark.parametrize("imported", ["config import depth_of", "config import TRACKS", "settings.none import depth"])
def test_nothing_else_of_the_settings_is_imported(tmp_path: Path, depth: None, imported: str) -> None:
    (found,) = violations(tmp_path, f"from toolkit.components.{imported}\n")
    assert "more than Config and functions of cfg alone" in found


def test_the_name_of_a_function_of_the_settings_is_taken(tmp_path: Path, depth: None) -> None:
    (found,) = violations(tmp_path, OF_THE_SETTINGS, "def depth():\n    return 1\n")
    assert found == "second.py:1: depth is bound at first.py as well; rename one"


def test_names_are_compared_over_all_files(tmp_path: Path) -> None:
    found = violations(tmp_path, "LIMIT = 1\n", "def f():\n    return 1\n\n\nLIMIT = 2\n")
    assert found == ["second.py:5: LIMIT is bound at first.py:1 as well; rename one"]


def test_a_name_may_not_be_imported_here_and_defined_there(tmp_path: Path) -> None:
    found = violations(tmp_path, "from math import pi\n\n\ndef f():\n    return pi\n", "def pi():\n    return 3\n")
    assert len(found) == 1
    assert "pi is bound at first.py:1 as well" in found[0].replace(f"{tmp_path}/", "")


def test_imports_have_one_form(tmp_path: Path) -> None:
    found = violations(
        tmp_path,
        "import numpy as np\nfrom torch import nn\n",
        "import numpy\nimport torch.nn as nn\n",
    )
    assert [text.split(": ")[0] for text in found] == ["second.py:1", "second.py:2"]
    assert "numpy is called np in" in found[0]
    assert "nn means another thing in" in found[1]


def test_an_optional_package_has_one_home(tmp_path: Path) -> None:
    source = "def f{}():\n    import flash_attn_interface\n    return flash_attn_interface\n"
    found = violations(tmp_path, source.format(1), source.format(2))
    assert len(found) == 1
    assert "flash_attn_interface is imported in" in found[0]


def test_findings_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    found = violations(tmp_path, "x = 1\nprint(2)\n", "y = 1\n")
    assert [text.split(": ")[0] for text in found] == ["first.py:1", "first.py:2", "second.py:1"]


def test_files_in_folders_are_components_too(tmp_path: Path) -> None:
    found = violations_in(tmp_path, {"model/block.py": "LIMIT = 1\nprint(2)\n", "text/block.py": "LIMIT = 2\n"})
    assert found == [
        "model/block.py:2: statement with an effect at the top level; move it into a function",
        "text/block.py:1: LIMIT is bound at model/block.py:1 as well; rename one",
    ]


def test_the_file_of_a_package_is_empty(tmp_path: Path) -> None:
    found = violations_in(tmp_path, {"__init__.py": "", "model/__init__.py": "print(1)\n", "model/block.py": ""})
    assert found == ["model/__init__.py:1: package with content; leave it empty"]


def test_settings_are_exempt_in_a_file_or_a_folder(tmp_path: Path) -> None:
    source = "from toolkit.components.base.failure import InputError\n\nx = InputError('never in a script')\n"
    assert violations_in(tmp_path, {"config.py": source, "settings/model.py": source}) == []


def test_settings_are_no_part_of_a_program(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "model.py").write_text("broken(")
    (tmp_path / "main.py").write_text("from toolkit.components.settings.model import Config\n")
    assert [module.name for module in read_modules("main", tmp_path)] == ["main"]
