"""`golf recipes`: the built-in recipes."""

import json

import click


@click.command("recipes")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects instead of a table.")
def command(as_json: bool) -> None:
    """List the built-in recipes with their parameter counts and evaluation stages."""
    from rich.console import Console
    from rich.table import Table

    from toolkit.plan import NOT_COUNTED, can_count, count_parameters
    from toolkit.recipe import load_recipe, recipe_names

    counts = can_count()
    counted = [(cfg, count_parameters(cfg) if counts else None) for cfg in map(load_recipe, recipe_names())]
    if as_json:
        keys = ("recipe", "title", "track", "parameters", "stages")
        rows = [(cfg.name, cfg.title, cfg.track, count, cfg.evaluate.stages) for cfg, count in counted]
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    table = Table()
    table.add_column("recipe", no_wrap=True)
    table.add_column("title")
    table.add_column("track", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("stages")
    for cfg, count in counted:
        parameters = "-" if count is None else f"{count:,}"
        table.add_row(cfg.name, cfg.title, cfg.track, parameters, ", ".join(cfg.evaluate.stages))
    console = Console(markup=False, highlight=False)
    console.print(table)
    if not counts:
        console.print(NOT_COUNTED)
