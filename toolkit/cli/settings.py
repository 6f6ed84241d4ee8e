"""`golf settings`: what a recipe can set, from the descriptions beside the fields."""

import json
import textwrap
from dataclasses import asdict
from itertools import groupby

import click


@click.command("settings")
@click.argument("name", metavar="[SECTION|KEY]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects instead of text.")
def command(name: str | None, as_json: bool) -> None:
    """Print default, type, meaning and source of what a recipe can set: all of it, a section or a key.

    What is printed is itself a recipe, of nothing but defaults.
    """
    from toolkit.recipe import toml_value
    from toolkit.settings import all_settings, find_settings, section_texts

    found = find_settings(name) if name else all_settings()
    if as_json:
        click.echo(json.dumps([asdict(setting) for setting in found], indent=2))
        return
    blocks, texts = [], section_texts()
    for section, settings in groupby(found, key=lambda setting: setting.section):
        lines = (
            [f"[{section}]", *(_wrapped(text, "# ", "# ") for text in texts[section].split("\n\n"))] if section else []
        )
        for setting in settings:
            allowed = f", {setting.allowed}" if setting.allowed else ""
            source = f" ({setting.source})" if setting.source else ""
            lines.append(_wrapped(f"{setting.key} = {toml_value(setting.default)}", "", "  "))
            lines.append(_wrapped(f"{setting.type}{allowed}: {setting.meaning}{source}", "    # ", "    # "))
        blocks.append("\n".join(lines))
    click.echo("\n\n".join(blocks))


def _wrapped(text: str, first: str, others: str) -> str:
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
