"""Settings in source text: what is baked in, and what is refused with file and line."""

import pytest

from toolkit.bundle.link.fold import fold
from toolkit.components.config import Config
from toolkit.components.settings.model import Model
from toolkit.errors import GolfError

CFG = Config(name="r", model=Model(num_layers=6, rope_base=-1.0 * -3.5))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(cfg):\n    return cfg.model.num_layers\n", "def f():\n    return 6\n"),
        ("def f(cfg: Config, x):\n    return g(cfg, x)\n", "def f(x):\n    return g(x)\n"),
        ("def f(self, cfg: Config, *, x):\n    g(cfg, *x)\n", "def f(self, *, x):\n    g(*x)\n"),
        ("def f(self, cfg):\n    self.cfg = cfg\n", "def f(self):\n    pass\n"),
        ("def f(self):\n    return self.m(self.cfg)\n", "def f(self):\n    return self.m()\n"),
        ("def f(self):\n    return [lambda: self.cfg.model.rope_base]\n", "def f(self):\n    return [lambda: 3.5]\n"),
        ("def f(cfg):\n    return f'{cfg.name} {g(cfg, 1):>{cfg.model.num_layers}}'\n", None),
    ],
)
def test_bakes(source: str, expected: str) -> None:
    assert fold(source, CFG) == (expected or 'def f():\n    return f"r {g(1):>6}"\n')


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m = cfg.model", "the whole section cfg.model is used as a value"),
        ("m = cfg", "cfg is used as a value"),
        ("cfg = 1", "cfg is bound"),
        ("g(1, cfg)", "cfg is used as a value"),
        ("g(cfg=cfg)", "cfg is passed by keyword"),
        ("cfg.model.num_layers = 1", "a setting is assigned"),
        ("x = other.cfg.model.num_layers", "settings of another object are read"),
        ("x = cfg.model.nun_layers", "there is no setting cfg.model.nun_layers; did you mean num_layers?"),
        ("x = cfg.modle.num_layers", "there is no setting cfg.modle; did you mean model?"),
        ("x = lambda y, cfg: 1", "cfg is a parameter that does not come first"),
        ("f'{cfg}'", "cfg is used as a value"),
        ("self.cfg, x = cfg, 1", "cfg is bound"),
        ("x = getattr(cfg, 'model')", None),  # an argument for folding; the lint knows what takes cfg
    ],
)
def test_stray_uses_name_file_and_line(line: str, reason: str) -> None:
    source = f"# a comment\ndef f(self, cfg):\n    {line}\n"
    if reason is None:
        assert fold(source, CFG).endswith("getattr('model')\n")
        return
    with pytest.raises(GolfError) as caught:
        fold(source, CFG, "toolkit/components/x.py", 10)
    assert str(caught.value).startswith("toolkit/components/x.py:12: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("x, cfg", "cfg is a parameter that does not come first"),
        ("cfg, /", "cfg is a parameter that does not come first"),
        ("*, cfg", "cfg is a parameter that does not come first"),
        ("self, cfg=None", "cfg has a default value"),
    ],
)
def test_refused_parameters(parameters: str, reason: str) -> None:
    with pytest.raises(GolfError, match=rf"x\.py:1: {reason}"):
        fold(f"def f({parameters}):\n    return 1\n", CFG, "x.py")


def test_folding_twice_changes_nothing() -> None:
    source = "def f(self, cfg, x):\n    # why\n    return x if cfg.model.ln_scale else [cfg.model.head_dim, x]\n"
    once = fold(source, CFG)
    assert once == "def f(self, x):\n    # why\n    return [64, x]\n"
    assert fold(once, CFG) == once
