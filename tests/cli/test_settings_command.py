"""`golf settings` prints what a recipe can set."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolkit.cli.main import golf
from toolkit.components.config import Config
from toolkit.recipe import load_recipe


def output(*arguments: str) -> str:
    result = CliRunner().invoke(golf, ["settings", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_everything_printed_is_a_recipe_of_defaults_in_lines_of_100(tmp_path: Path) -> None:
    path = tmp_path / "defaults.toml"
    path.write_text(output())
    assert replace(load_recipe(path), name=Config().name) == Config()
    assert max(map(len, output().splitlines())) <= 100


def test_a_section_is_printed_with_what_it_is_for() -> None:
    text = output("hybrid")
    assert text.startswith("[hybrid]\n# HybridQuant (#1465): levels of a weight by class of matrix")
    assert (
        "\nup_levels = 5\n    # int, 0, 5 or an even number from 2 to 256: levels of the MLP's first matrix (#1465)\n"
        in text
    )
    assert text.count("[") == 1


@pytest.mark.parametrize("name", ["num_layers", "model.num_layers"])
def test_a_key_is_found_with_and_without_its_section(name: str) -> None:
    assert output(name).endswith("\nnum_layers = 9\n    # int, a number above 0: blocks, each attention and an MLP\n")


def test_a_key_of_two_sections_is_printed_for_both() -> None:
    found = json.loads(output("engine", "--json"))
    assert [setting["name"] for setting in found] == ["tcq.engine", "ppm_trie.engine"]


def test_json_has_name_type_default_values_meaning_and_source() -> None:
    (found,) = json.loads(output("value_embed_layers", "--json"))
    assert found == {
        "name": "model.value_embed_layers",
        "type": "list of int",
        "default": [],
        "allowed": "",
        "meaning": "layers, from 0, whose values receive the value embeddings",
        "source": "",
    }
    keys = [setting["name"] for setting in json.loads(output("--json"))]
    assert keys[:3] == ["title", "track", "model.vocab_size"]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("num_layer", "did you mean num_layers?"),
        ("quantise", "did you mean quantize?"),
        ("model.num_layer", "did you mean model.num_layers?"),
        ("zzz", "`golf settings` lists them"),
        ("name", "`golf settings` lists them"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(name: str, hint: str) -> None:
    result = CliRunner().invoke(golf, ["settings", name])
    expected = f"Error: SECTION|KEY: expected a section or a key of a recipe, found {name!r}; {hint}\n"
    assert (result.output, result.exit_code) == (expected, 1)


def test_it_works_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from toolkit.cli.main import golf; golf(['settings'])"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
