"""Recipes: what is read is what was written, and every mistake names its key and line."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.components.config import Config
from toolkit.components.settings.evaluate import Evaluate
from toolkit.errors import GolfError
from toolkit.recipe import RECIPES_DIR, dump_recipe, load_recipe, recipe_names


def write(folder: Path, text: str, name: str = "r.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_recipe_in_a_folder_has_a_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hybrid").mkdir()
    write(tmp_path / "hybrid", 'extends = "above"\n', "inner.toml")
    write(tmp_path, "[model]\nnum_layers = 3\n", "above.toml")
    monkeypatch.setattr("toolkit.recipe.RECIPES_DIR", tmp_path)
    assert recipe_names() == ["above", "inner"]
    assert load_recipe("inner").model.num_layers == 3


def test_names_of_recipes_are_unique_over_all_folders() -> None:
    assert len(recipe_names()) == len(list(RECIPES_DIR.rglob("*.toml")))


@pytest.mark.parametrize("name", recipe_names())
def test_a_dumped_recipe_loads_to_an_equal_config(name: str, tmp_path: Path) -> None:
    cfg = load_recipe(name)
    assert load_recipe(write(tmp_path, dump_recipe(cfg), f"{name}.toml")) == cfg


@given(
    title=st.text(st.characters(exclude_categories=("Cs", "Cc"))), stride=st.integers(1, 256), lr=st.floats(1e-9, 9.0)
)
def test_any_text_and_number_survives_a_dump(
    title: str, stride: int, lr: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cfg = Config(name="r", title=title, evaluate=Evaluate(stride=stride))
    cfg = replace(cfg, optimizer=replace(cfg.optimizer, matrix_lr=lr))
    assert load_recipe(write(tmp_path_factory.mktemp("recipe"), dump_recipe(cfg))) == cfg


def test_extends_takes_the_parent_values_and_overrides_single_keys(tmp_path: Path) -> None:
    write(tmp_path, '[model]\nnum_layers = 3\nmodel_dim = 64\n[evaluate]\nstages = ["sliding"]\n', "parent.toml")
    child = load_recipe(write(tmp_path, 'extends = "parent"\n[model]\nnum_layers = 5\n'))
    assert (child.model.num_layers, child.model.model_dim, child.evaluate.stages) == (5, 64, ("sliding",))


def test_extends_names_a_file_by_its_path_from_the_recipe(tmp_path: Path) -> None:
    write(tmp_path, "[model]\nnum_layers = 3\n", "parent.toml")
    (tmp_path / "folder").mkdir()
    child = write(tmp_path / "folder", 'extends = "../parent.toml"\n')
    assert load_recipe(child).model.num_layers == 3
    with pytest.raises(GolfError, match=r"r\.toml:1: extends: recipe: expected a TOML file"):
        load_recipe(write(tmp_path / "folder", 'extends = "parent.toml"\n'))


def test_extends_in_a_circle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "r"\n', "a.toml")
    with pytest.raises(GolfError, match="no cycle, found r -> a -> r"):
        load_recipe(write(tmp_path, 'extends = "a"\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\n\nnum_layer = 3\n", r"r\.toml:3: unknown key 'num_layer' in \[model\]; did you mean num_layers\?"),
        ("[modle]\n", r"r\.toml:1: unknown key 'modle'; did you mean model\?"),
        ("[model]\nnum_layers = 'x'\n", r"r\.toml:2: model\.num_layers: expected int, found 'x'"),
        ("[model]\nnum_layers = true\n", r"r\.toml:2: model\.num_layers: expected int, found True"),
        ("[evaluate]\nstages = ['roundtrip', 3]\n", r"r\.toml:2: evaluate\.stages: expected str, found 3"),
        ("[evaluate]\nstages = ['slidng']\n", r"r\.toml:2: evaluate\.stages: expected stages of .*, found 'slidng'"),
        ("[model]\nmodel_dim = -512\n", r"r\.toml:2: model\.model_dim: expected a number above 0, found -512"),
        ("[model]\nmodel_dim = 72\n", r"r\.toml:2: model\.model_dim: expected an even .*, found 9"),
        ("[model]\nvalue_embed_dim = 8\n", r"r\.toml:2: model\.value_embed_layers: expected set together"),
        (
            "[train]\nbatch_tokens = 1000\n",
            r"r\.toml:2: train\.batch_tokens: expected a multiple of .* 8192, found 1000",
        ),
        ("track = 'fast'\n", r"r\.toml:1: track: expected one of .*, found 'fast'"),
        ("title = 3\n", r"r\.toml:1: title: expected str, found 3"),
        ("model = 3\n", r"r\.toml:1: model: expected a table \[model\], found 3"),
        ("[model\n", r"r\.toml: expected a TOML recipe, found: .*line 1"),
        ("[model]\nnum_layers = 0x7fffffffffffffffff\n", r"r\.toml:2: model\.num_layers: expected a number between"),
        ("[optimizer]\nmatrix_lr = nan\n", r"r\.toml:2: optimizer\.matrix_lr: expected a number between .*, found nan"),
        ("[optimizer]\nmatrix_lr = inf\n", r"r\.toml:2: optimizer\.matrix_lr: expected a number between .*, found inf"),
    ],
)
def test_a_mistake_names_key_line_expected_and_found(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GolfError, match=message):
        load_recipe(write(tmp_path, text))


def test_a_name_that_is_no_recipe_suggests_the_nearest() -> None:
    with pytest.raises(GolfError, match="did you mean sp4096"):
        load_recipe("sp409")


def test_recipes_load_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from toolkit.recipe import load_recipe; load_recipe('sp4096')"
    subprocess.run([sys.executable, "-c", code], check=True)
