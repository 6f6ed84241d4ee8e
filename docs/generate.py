"""`python -m docs.generate [--check]`: write the tables of the documentation anew, from the data that the toolkit uses.

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; everything else in a page is written by hand. The
sizes of scripts need a build of every recipe, about a minute in all, unless they are in the bundler's cache. With
--check nothing is written, and the exit code is 1 where a page differs from what would be.
"""

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

from toolkit.bundle import bundle
from toolkit.check.rulebook.ruleset import all_rules, known_tracks, load_rules
from toolkit.cli.main import golf
from toolkit.plan import count_parameters
from toolkit.recipe import load_recipe, recipe_names, recipe_path, toml_value
from toolkit.settings import all_settings, section_texts

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
LAYERS = ROOT / "tests" / "layers.toml"
REGION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def bytes_of(recipe: str) -> int:
    """Size of a recipe's packed script."""
    return bundle(load_recipe(recipe)).code_bytes


def recipes_table(size: Callable[[str], int] = bytes_of) -> str:
    """A row for each built-in recipe; what it is says the first line of its file."""
    rows = []
    for name in recipe_names():
        cfg = load_recipe(name)
        summary = recipe_path(name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        stages = ", ".join(f"`{stage}`" for stage in cfg.evaluate.stages)
        rows.append((f"`{name}`", f"{count_parameters(cfg):,}", f"{size(name):,}", stages, _cell(summary)))
    return _table(("recipe", "parameters", "script, bytes", "stages", "what it is"), rows, numbers=(1, 2))


def settings_table() -> str:
    """A section for each table of a recipe, with a row for each of its keys."""
    blocks, texts = [], section_texts()
    for section, settings in groupby(all_settings(), key=lambda setting: setting.section):
        heading, text = (f"## `[{section}]`", texts[section]) if section else ("## At the top of the file", "")
        rows = [
            (
                f"`{setting.key}`",
                f"`{toml_value(setting.default)}`".replace("|", r"\|"),
                setting.type + (f", {_cell(setting.allowed)}" if setting.allowed else ""),
                _cell(setting.meaning) + (f" ({setting.source})" if setting.source else ""),
            )
            for setting in settings
        ]
        blocks += [heading, *([_cell(text)] if text else []), _table(("key", "default", "values", "meaning"), rows)]
    return "\n\n".join(blocks)


def rules_table() -> str:
    """A row for each rule, with what a violation means in each track."""
    tracks = {track: {rule.id: rule for rule in load_rules(track)} for track in known_tracks()}
    rows = []
    for rule in all_rules():
        ruled = [rules[rule.id] for rules in tracks.values()]
        outcomes = ["-" if one.waived else "WARN" if one.status == "DISPUTED" else one.violation for one in ruled]
        rows.append((rule.id, rule.status, rule.tier, *outcomes, _cell(rule.title)))
    heads = (f"`{track}`" for track in tracks)
    return _table(("rule", "status", "decided by", *heads, "what it asks for"), rows)


def commands_table() -> str:
    """A section for each command: its help and its options."""
    blocks = []
    for name, command in sorted(golf.commands.items()):
        context = click.Context(command, info_name=f"golf {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        paragraphs = [_paragraph(text) for text in inspect.cleandoc(command.help or "").split("\n\n")]
        records = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
        rows = [(f"`{record[0]}`".replace("|", r"\|"), _cell(record[1])) for record in records if record]
        blocks += [f"## `golf {name}`", f"```\ngolf {name} {usage}\n```", *paragraphs]
        blocks += [_table(("option", "meaning"), rows)] if rows else []
    return "\n\n".join(blocks)


def layers_table() -> str:
    """Who may import whom: what stands in a folder by layers, and what holds beside them."""
    rules = tomllib.loads(LAYERS.read_text(encoding="utf-8"))
    chains = [
        (f"`{folder.replace('.', '/')}/`", " → ".join(_names(line) for line in reversed(lines)))
        for folder, lines in rules["layers"].items()
    ]
    blocks = [
        _table(("folder", "layers, the highest first"), chains),
        "Below, and still not imported:",
        _table(("by", "what"), [(f"`{room}`", _names(names)) for room, names in rules["apart"].items()]),
        "Packages that are imported, beside the standard library:",
        _table(("by", "what"), [(f"`{room}`", _names(names)) for room, names in rules["packages"].items()]),
        *(f"Can be imported without {package}: {_names(rooms)}." for package, rooms in rules["without"].items()),
    ]
    return "\n\n".join(blocks)


TABLES: dict[str, Callable[[], str]] = {
    "recipes": recipes_table,
    "settings": settings_table,
    "rules": rules_table,
    "commands": commands_table,
    "layers": layers_table,
}


def written_anew(text: str, tables: dict[str, Callable[[], str]] = TABLES) -> str:
    """The text of a page with its tables as they should be; `KeyError` for a table that nothing makes."""
    return REGION.sub(lambda match: f"{match[1]}\n{tables[match[2]]()}\n\n{match[3]}", text)


def regions() -> Iterator[tuple[Path, str]]:
    """Every generated table: its page and its name."""
    for page in PAGES:
        yield from ((page, match[2]) for match in REGION.finditer(page.read_text(encoding="utf-8")))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: tuple[int, ...] = ()) -> str:
    """A table in Markdown; `numbers` are columns that stand to the right."""
    rule = ("---:" if column in numbers else "---" for column in range(len(head)))
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Plain text, so that Markdown shows every character of it outside of code."""
    pieces = " ".join(text.split()).split("`")
    return "`".join(re.sub(r"([|<*])", r"\\\1", piece) if i % 2 == 0 else piece for i, piece in enumerate(pieces))


def _paragraph(text: str) -> str:
    """A paragraph of a command's help; one that click is told to leave as it is stays so."""
    if text.startswith("\b\n"):
        return f"```\n{text.removeprefix(chr(8)).strip()}\n```"
    return _cell(text)


def _names(names: str) -> str:
    return ", ".join("every other file" if name == "*" else f"`{name}`" for name in names.split())


def main(arguments: list[str]) -> int:
    stale = False
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = written_anew(before)
        if after != before:
            stale = True
            print(page.relative_to(ROOT))
            if "--check" not in arguments:
                page.write_text(after, encoding="utf-8")
    return int(stale and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
