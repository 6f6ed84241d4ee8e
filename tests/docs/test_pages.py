"""What pages say by hand of the tree: every room, every path, every probe."""

import re
from pathlib import Path

import click
import pytest

from docs.generate import PAGES, ROOT
from toolkit.check.evidence.probes import NAMES
from toolkit.cli.main import golf
from toolkit.probe.cheats.cheat import CHEATS

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_tree_has_a_line_for_every_room() -> None:
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "toolkit").rglob("*.py")}
    listed = re.findall(r"`(toolkit/[\w/]+)/`", ARCHITECTURE.partition("## The tree")[2].partition("\n## ")[0])
    assert len(packages) > 30
    assert set(listed) == {str(package) for package in packages} - {"toolkit"}
    assert len(listed) == len(set(listed))


def test_words_of_the_glossary_are_in_order_and_come_once() -> None:
    words = [row[0] for row in re.findall(r"^\| ([^|`]+) \| (.+) \|$", ARCHITECTURE.partition("## Glossary")[2], re.M)]
    assert len(words) > 30
    assert words == sorted(set(words), key=str.lower)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_places_to_touch_are_there() -> None:
    """Paths in the checklists, but for those with the name of what is added."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    spans = re.findall(r"`([\w./-]+\.(?:py|toml|md)|[\w/-]+/)`", text)
    everywhere = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if ".venv" not in path.parts]
    missing = [span for span in spans if not any(f"/{path}".endswith("/" + span.strip("/")) for path in everywhere)]
    assert len(spans) > 30
    assert missing == []


def test_names_in_the_checklists_are_there() -> None:
    names = re.findall(r"`(\w+)(?:\(.*\))?`", (ROOT / "CONTRIBUTING.md").read_text())
    sources = [path for folder in ("toolkit", "tests", "templates") for path in (ROOT / folder).rglob("*.*")]
    words = {
        word for path in sources if path.suffix in (".py", ".toml") for word in re.findall(r"\w+", path.read_text())
    }
    assert len(names) > 15
    assert [name for name in names if name not in words] == []


def test_every_probe_is_in_the_help_on_the_page_and_catches_a_cheat() -> None:
    page = (ROOT / "docs" / "probes.md").read_text()
    shown = golf.commands["probe"].get_help(click.Context(golf.commands["probe"]))
    for name in NAMES:
        assert re.search(rf"^ +{name}  +\w", shown, re.MULTILINE)
        assert f"\n| `{name}` | " in page
        assert any(name in cheat.caught_by for cheat in CHEATS)
