"""`golf build`: a recipe becomes one small script."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.bundle import Bundle


@click.command("build")
@click.argument("recipe")
@click.option(
    "-o",
    "--out",
    "out_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to, made if missing; runs in it stay.  [default: build/<recipe>]",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(recipe: str, out_dir: Path | None, as_json: bool) -> None:
    """Bundle RECIPE, a built-in name or a TOML file, into train_gpt.py and a readable copy of it."""
    from rich.console import Console

    from toolkit.bundle import write_build
    from toolkit.recipe import load_recipe

    cfg = load_recipe(recipe)
    out_dir = out_dir or Path("build") / cfg.name
    started = time.perf_counter()
    with Console(stderr=True).status("bundling"):
        result = write_build(cfg, out_dir)
    seconds = time.perf_counter() - started
    if as_json:
        facts = {
            "recipe": cfg.name,
            "out_dir": str(out_dir),
            "sha256": result.sha256,
            "code_bytes": result.code_bytes,
            "readable_bytes": len(result.readable.encode()),
            "component_bytes": result.component_bytes,
            "seconds": round(seconds, 3),
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        show(result, out_dir, seconds)


def show(result: Bundle, out_dir: Path, seconds: float) -> None:
    """Print a bundle as a table, the largest component first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(out_dir))
    table.add_column("component")
    table.add_column("bytes", justify="right")
    for name, num_bytes in sorted(result.component_bytes.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(name, f"{num_bytes:,}")
    table.add_section()
    table.add_row("train_gpt.py", f"{result.code_bytes:,}")
    table.add_row("train_gpt_readable.py", f"{len(result.readable.encode()):,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:.1f}")
    Console(markup=False, highlight=False).print(table)
