"""Tables of the documentation are what `make docs` writes."""

import re
from pathlib import Path

import click
import pytest

from docs.generate import PAGES, ROOT, TABLES, bytes_of, recipes_table, regions, written_anew
from toolkit.cli.main import golf

RECIPES = ROOT / "docs" / "recipes.md"
BUNDLED = "naive_baseline"  # the quickest to bundle; `python -m docs.generate --check` compares the sizes of all


def size_as_written(recipe: str) -> int:
    row = re.search(rf"^\| `{recipe}` \| [\d,]+ \| ([\d,]+) \|", RECIPES.read_text(), re.MULTILINE)
    return int(row[1].replace(",", "")) if row else 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_as_it_would_be_written(page: Path) -> None:
    sizes = {BUNDLED: bytes_of(BUNDLED)} if page == RECIPES else {}
    tables = TABLES | {"recipes": lambda: recipes_table(lambda name: sizes.get(name) or size_as_written(name))}
    text = page.read_text()
    assert written_anew(text, tables) == text, f"{page.name}: expected its tables of today; `make docs` writes them"


def test_every_table_stands_on_one_page() -> None:
    assert sorted(name for _, name in regions()) == sorted(TABLES)


def test_what_is_written_by_hand_stays() -> None:
    text = "by hand\n<!-- generated: rules -->\nold\n<!-- end -->\nby hand\n"
    new = written_anew(text, {"rules": lambda: "| new |"})
    assert new == "by hand\n<!-- generated: rules -->\n\n| new |\n\n<!-- end -->\nby hand\n"
    assert written_anew(new, {"rules": lambda: "| new |"}) == new


def test_a_table_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="unknown"):
        written_anew("<!-- generated: unknown -->\n<!-- end -->\n")


@pytest.mark.parametrize("name", golf.commands)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [param for param in golf.commands[name].params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []
