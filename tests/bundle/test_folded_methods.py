"""Methods whose parameters fold away: which calls are known to reach them, and what makes that unsure."""

import inspect
from typing import Self

import pytest
from torch import nn

from tests.support.folding import folded, printed
from toolkit.bundle.calls.methods import FINDS_MODULES, OF_MODULE, RETURNS_SELF

# One class whose parameter is to go, and one that holds instances of it.
INNER = """\
class Inner(nn.Module):
    def forward(self, x, extra=None):
        return x if extra is None else x + extra
"""
OUTER = """\
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.parts = nn.ModuleList(Inner() for _ in range(3))
    def forward(self, x):
        {}
        return x
def main():
    print(Outer()(1))
main()
"""

FOLLOWED = {
    "attribute": OUTER.format("x = self.inner(x, None)"),
    "direct call of forward": OUTER.format("x = self.inner.forward(x, None)"),
    "loop": OUTER.format("for part in self.parts: x = part(x, extra=None)"),
    "numbered loop": OUTER.format("for i, part in enumerate(self.parts): x = part(x, None)"),
    "comprehension": OUTER.format("x = sum(part(x, None) for part in self.parts[1:])"),
    "subscript": OUTER.format("x = self.parts[0](x) + len(self.parts)"),
    "new list": OUTER.format("for part in [self.parts[i] for i in (0, 1, 0)]: x = part(x, None)"),
    "modules that are only looked at": OUTER.format(
        "x = self.inner(x, None) + sum(len(name) for name, part in self.named_modules() if isinstance(part, Inner))"
    ),
    "another attribute of that name": OUTER.format("x = self.inner(x, None)")
    + "class Other:\n    def __init__(self):\n        self.inner = [1]\n        self.inner.append(2)\n"
    "print(Other().inner)\n",
    "variable": """\
def main():
    inner = Inner().to("cpu").eval()
    inner.zero_grad()
    print(inner(1, extra=None))
main()
""",
    "argument and result": """\
def make(device) -> Inner:
    inner = Inner().to(device)
    return inner
def run(x, inner: nn.Module):
    if inner is not None and isinstance(inner, Inner):
        return inner(x, None)
def main():
    print(run(1, inner=make("cpu")))
main()
""",
    "argument of a constructor": """\
class Trainer:
    def __init__(self, model):
        self.model = model
    def run(self):
        return self.model(1, None)
def main():
    print(Trainer(Inner()).run())
main()
""",
    "self as argument": """\
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
    def forward(self, x):
        return seam(self, x)
def seam(outer, x):
    return outer.inner(x, None)
def main():
    print(Outer()(1))
main()
""",
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_forward_of_followed_instances_loses_a_parameter(name: str) -> None:
    source = INNER + FOLLOWED[name]
    text = folded(source, flags_only=True)
    assert "def forward(self, x):\n        return x\n" in text
    assert "extra" not in text
    assert printed(text, nn=nn) == printed(source, nn=nn) != ""


UNSURE = {
    "calls differ": OUTER.format("x = self.inner(x, None) + self.inner(x, 2)"),
    "a call passes an unknown value": OUTER.format("x = self.inner(x, x)"),
    "call with a star": OUTER.format("x = self.inner(*[x, None])"),
    "in an f-string": OUTER.format("x = len(f'{self.inner(x, None)}')"),
    "handed to foreign code": OUTER.format("x = self.inner(x, None) + partial(self.inner, x)()"),
    "called by foreign code": OUTER.format("x = self.inner(x, None) + sum(map(self.inner, [x]))"),
    "in a list that grows": OUTER.format("self.inner(x, None); parts = []; parts.append(self.inner); x = parts[0](x)"),
    "forward as a value": OUTER.format("x = self.inner(x, None) + partial(self.inner.forward, x)()"),
    "attribute named by text": OUTER.format("x = self.inner(x, None) + getattr(self, 'inner')(x)"),
    "found modules are called": OUTER.format(
        "x = self.inner(x, None) + sum(part(x) for part in self.parts.children())"
    ),
    "found modules go on": OUTER.format("x = self.inner(x, None) + len(dict(self.named_modules()))"),
    "given to a function of ours by torch": OUTER.format("x = self.inner(x, None); self.apply(lambda part: part)"),
    "called as torch does": OUTER.format("x = self.inner.__call__(x, None)"),
    "fetched by name": OUTER.format("x = self.inner(x, None) + self.get_submodule('inner')(x)"),
    "attribute set from outside": OUTER.format("x = self.inner(x, None)")
    + "def swap(outer, inner):\n    outer.inner = inner\nswap(Outer(), sum)\n",
    "attribute of an unknown object": OUTER.format("x = self.inner(x, None)")
    + "def run(find):\n    return find().inner(1, None)\nprint(run)\n",
    "made from its class as a value": OUTER.format("x = self.inner(x, None)") + "def make(kind=Inner):\n    pass\n",
    "inherited": OUTER.format("x = self.inner(x, None)") + "class Heir(Inner):\n    pass\n",
    "variable with something else": """\
def main():
    inner = Inner()
    inner(1, None)
    inner = print
    inner(1, None)
main()
""",
    "parameter with something else": """\
def run(inner):
    return inner(1, None)
def main():
    run(Inner())
    run(print)
main()
""",
    "function that returns something else": """\
def make(flag):
    if flag > 1:
        return print
    return Inner()
def main(flag=0):
    make(flag)(1, None)
main()
main(1)
""",
    "function that is a value": """\
def run(inner):
    return inner(1, None)
def main():
    run(Inner())
    print(run)
main()
""",
}


@pytest.mark.parametrize("name", UNSURE)
def test_forward_stays_where_a_call_may_be_missed(name: str) -> None:
    assert INNER in folded(INNER + UNSURE[name], flags_only=True)


@pytest.mark.parametrize(
    "change",
    [
        ("class Inner(nn.Module)", "class Inner(nn.Linear)"),
        ("class Inner(nn.Module)", "class Inner(nn.Module, metaclass=Meta)"),
        ("class Inner(nn.Module):\n", "@register\nclass Inner(nn.Module):\n"),
        ("x, extra=None", "x, /, extra=None"),
        ("x, extra=None", "x, *rest, extra=None"),
        ("x, extra=None", "x, extra=None, **rest"),
        ("    def forward(self", "    def __call__(self, *args): return 1\n    def forward(self"),
        ("    def forward(self", "    def __getattr__(self, name): return 1\n    def forward(self"),
        ("    def forward(self", "    def to(self, device): return self.weight\n    def forward(self"),
        ("    def forward(self", "    @classmethod\n    def make(cls): return cls()\n    def forward(self"),
        ("    def forward(self", "    def me(self): return self\n    def forward(self"),
        ("else x + extra\n", "else x + extra\n    run = forward\n"),
        ("else x + extra\n", "else x + extra\n    run = lambda self: self(1)\n"),
    ],
)
def test_forward_stays_where_its_class_is_no_plain_module(change: tuple[str, str]) -> None:
    assert change[0] in INNER
    source = INNER.replace(*change) + OUTER.format("x = self.inner(x, None)")
    assert folded(source, flags_only=True) == source


SCALER = """\
class Scaler:
    def __init__(self, factor):
        self.factor = factor
    def apply(self, x, halve):
        return self.scaled(x, 1) / 2 if halve else self.scaled(x, 1)
    def scaled(self, x, power):
        return x * self.factor**power
    def __call__(self, x, note):
        print(x)
def main(size):
    scaler = Scaler(size)
    scaler(size, size + 1)
    scaler(x=scaler.apply(size, halve=False), note="")
main(3)
main(4)
"""
FOLDED_SCALER = """\
class Scaler:
    def __init__(self, factor):
        self.factor = factor
    def apply(self, x):
        return self.scaled(x)
    def scaled(self, x):
        return x * self.factor**1
    def __call__(self, x):
        print(x)
def main(size):
    scaler = Scaler(size)
    scaler(size)
    scaler(x=scaler.apply(size))
main(3)
main(4)
"""


def test_methods_of_a_class_without_bases() -> None:
    text = folded(SCALER)
    assert text == FOLDED_SCALER
    assert printed(text) == printed(SCALER) != ""


@pytest.mark.parametrize(
    ("pins", "kept"),
    [
        ("def other(size):\n    size.apply(size, True)\n", "apply"),
        ("def other(size):\n    return size.scaled\n", "scaled"),
        ("def other(size):\n    return getattr(size, 'scaled')\n", "scaled"),
        ("class Other:\n    def scaled(self, x):\n        self.scaled(x)\n", "scaled"),
        ("def other(size):\n    size.apply = size\n", "apply"),
    ],
)
def test_a_method_whose_name_is_used_otherwise_stays(pins: str, kept: str) -> None:
    text = folded(SCALER + pins)
    assert ("def apply(self, x, halve):" in text) == (kept == "apply")
    assert ("def scaled(self, x, power):" in text) == (kept == "scaled")
    assert "def __call__(self, x):" in text


@pytest.mark.parametrize("name", ["extra_repr", "_apply", "get_extra_state", "zero_grad"])
def test_a_method_that_torch_may_call_stays(name: str) -> None:
    source = (
        INNER
        + f"    def {name}(self, flag=True):\n        return flag\n"
        + OUTER.format(f"x = self.inner(x, 2) + self.inner.{name}()")
    )
    assert folded(source, flags_only=True) == source
    other = source.replace(name, "own_method")
    assert "def own_method(self):\n        return True\n" in folded(other, flags_only=True)


ATTRIBUTE = """\
class Keeper:
    def __init__(self, number):
        self.flag: bool | None = None
        self.number = number
    def kept(self):
        return self.number if self.flag is None else self.flag
def main(number):
    print(Keeper(number).kept())
main(3)
main(4)
"""


def test_an_attribute_that_is_always_the_same_flag_goes() -> None:
    assert "flag" not in folded(ATTRIBUTE, flags_only=True)
    assert printed(folded(ATTRIBUTE)) == printed(ATTRIBUTE) != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bool | None = None", "bool | None = []"),
        ("number\n    def", "number\n        self.flag = number\n    def"),
        ("self.flag: bool", "if number: self.flag: bool"),
        ("self.flag: bool", "if number: return\n        self.flag: bool"),
        ("self.flag: bool | None = None", "self.flag = self.other = None"),
        ("kept(self):\n", "kept(self):\n        del self.flag\n"),
        ("print(", "print('flag', "),
        ("print(", "print(number.flag, "),
        ("print(", "print(vars, Keeper, "),
        ("class Keeper:\n", "class Keeper:\n    flag = 1\n"),
        ("return self.number", "return f'{self.flag}'"),
    ],
)
def test_an_attribute_that_may_be_something_else_stays(old: str, new: str) -> None:
    assert old in ATTRIBUTE
    assert "self.flag" in folded(ATTRIBUTE.replace(old, new), flags_only=True)


def test_names_of_modules_are_those_of_torch() -> None:
    public = {name: getattr(nn.Module(), name) for name in dir(nn.Module()) if not name.startswith("_")}
    assert {name for name in public if not OF_MODULE.fullmatch(name)} == set()
    results = {name: inspect.signature(f).return_annotation for name, f in public.items() if inspect.ismethod(f)}
    chained = {name for name, result in results.items() if result is Self}
    assert chained
    assert {name for name in chained | {"to"} if not RETURNS_SELF.fullmatch(name)} == set()
    finding = {name for name, result in results.items() if "Module" in str(result)} | {"modules", "named_modules"}
    assert finding == FINDS_MODULES.keys() | {"get_submodule"}
