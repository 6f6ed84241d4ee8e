"""Form cases: folders with input modules, a recipe and the expected script or error.

A case is `tests/form/<name>/` with `input/*.py` (entry `main.py`, imported as `toolkit.components.x`), an optional
`recipe.toml`, an optional `settings.py` with functions of `cfg` that stand beside the settings, and either
`expected.py`, the readable script without its header, or `error.txt`, the message with the paths of the input folder
taken out. Every script must also print the same after minifying and packing.
"""

import contextlib
import inspect
import io
import runpy
from pathlib import Path

import pytest

from toolkit.bundle.build import START, docstrings, link, make_small
from toolkit.bundle.link.emit import emit
from toolkit.bundle.link.resolve import read_modules
from toolkit.bundle.pack.pack import pack
from toolkit.components import config
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe

CASES = sorted(path for path in Path(__file__).parent.with_name("form").iterdir() if path.is_dir())


def recipe_of(case: Path) -> Config:
    path = case / "recipe.toml"
    return load_recipe(path) if path.exists() else Config(name="recipe")


@pytest.fixture
def settings(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the functions of the case beside the settings."""
    path = case / "settings.py"
    for name, value in (runpy.run_path(str(path)) if path.exists() else {}).items():
        if inspect.isfunction(value):
            monkeypatch.setattr(config, name, value, raising=False)


def printed(source: str | bytes) -> str:
    """What a script prints when it is run."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script.py", "exec"), {"__name__": "__main__", "__file__": "script.py"})
    return out.getvalue()


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "expected.py").exists()], ids=lambda case: case.name
)
def test_script(case: Path, settings: None) -> None:
    modules = read_modules("main", case / "input")
    imports, parts = link(recipe_of(case), modules)
    readable = emit(imports, parts, docstrings(modules), START)
    assert readable == (case / "expected.py").read_text()
    text, _ = make_small(imports, parts)
    expected = printed(readable)
    assert expected
    assert printed(text) == expected
    assert printed(pack(text)) == expected


@pytest.mark.parametrize("case", [case for case in CASES if (case / "error.txt").exists()], ids=lambda case: case.name)
def test_error(case: Path, settings: None) -> None:
    with pytest.raises(GolfError) as caught:
        link(recipe_of(case), read_modules("main", case / "input"))
    message = (
        str(caught.value).replace(f"{case / 'input'}/", "").replace(f"{(case / 'input').relative_to(Path.cwd())}/", "")
    )
    assert message == (case / "error.txt").read_text().strip()


def test_every_case_is_one_of_both() -> None:
    assert CASES
    assert all((case / "expected.py").exists() != (case / "error.txt").exists() for case in CASES)
