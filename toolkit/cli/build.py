"""`golf build`: a recipe becomes one small script."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.encoding import encoding_option
from toolkit.folders import BUILDS_DIR, READABLE_NAME, SCRIPT_NAME

if TYPE_CHECKING:
    from rich.table import Table

    from toolkit.bundle import Bundle
    from toolkit.bundle.costs.explain import Explanation
    from toolkit.components.config import Config

_SHOWN_DEFINITIONS = 5  # a component, in the table; --json and the picture have all


@click.command("build")
@click.argument("recipe")
@click.option(
    "-o",
    "--out",
    "out_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to, made if missing; runs in it stay.  [default: build/<recipe>]",
)
@encoding_option
@click.option(
    "--verify",
    "with_proof",
    is_flag=True,
    help="First train a miniature of the recipe, for seconds on the CPU, as modules, readable and packed script, and "
    "compare losses, state dict and artifact bit for bit; a difference is an error, and nothing is written.",
)
@click.option(
    "--explain",
    "with_costs",
    is_flag=True,
    help="Also show what every component and definition costs in the packed file, measured by leaving it out, and "
    "write a treemap of it, explain.svg.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(
    recipe: str, out_dir: Path | None, encoding: str, with_proof: bool, with_costs: bool, as_json: bool
) -> None:
    """Bundle RECIPE, a built-in name or a TOML file, into train_gpt.py, packed, and its readable script."""
    from toolkit.recipe import load_recipe

    cfg = load_recipe(recipe)
    out_dir = out_dir or BUILDS_DIR / cfg.name
    started = time.perf_counter()
    result, facts, tables = _build(cfg, out_dir, encoding, with_proof, with_costs)
    seconds = time.perf_counter() - started
    if as_json:
        click.echo(json.dumps(_build_facts(cfg, out_dir, result, seconds) | facts, indent=2))
        return
    from rich.console import Console

    for table in [*tables, _build_table(result, out_dir, seconds)]:
        Console(markup=False, highlight=False).print(table)


def _build(
    cfg: Config, out_dir: Path, encoding: str, with_proof: bool, with_costs: bool
) -> tuple[Bundle, dict[str, Any], list[Table]]:
    """Verify, write and explain a build: the bundle, and what was found as JSON and as tables."""
    from dataclasses import asdict

    from rich.console import Console

    from toolkit.bundle import write_build

    facts: dict[str, Any] = {}
    tables: list[Table] = []
    with Console(stderr=True).status("bundling") as status:
        if with_proof:
            from toolkit.bundle.proof.verify import verify

            status.update("running three forms of the recipe's miniature")
            verified = verify(cfg, encoding)
            facts["verified"] = asdict(verified)
            tables.append(_table("modules = readable = packed", {k: f"{v:,}" for k, v in asdict(verified).items()}))
        status.update("bundling")
        result = write_build(cfg, out_dir, encoding)
        if with_costs:
            from toolkit.bundle.costs.explain import explain
            from toolkit.bundle.costs.treemap import write_treemap

            status.update("leaving out one definition at a time")
            explanation = explain(cfg, encoding)
            write_treemap(explanation, out_dir / "explain.svg")
            facts["explanation"] = explanation.to_json()
            tables.append(_cost_table(explanation))
    return result, facts, tables


def _build_facts(cfg: Config, out_dir: Path, result: Bundle, seconds: float) -> dict[str, Any]:
    return {
        "recipe": cfg.name,
        "out_dir": str(out_dir),
        "sha256": result.sha256,
        "code_bytes": result.code_bytes,
        "readable_bytes": len(result.readable.encode()),
        "component_bytes": result.component_bytes,
        "seconds": round(seconds, 3),
    }


def _table(title: str, rows: dict[str, str], heading: str = "", value: str = "") -> Table:
    from rich.table import Table

    table = Table(title=title, show_header=bool(heading))
    table.add_column(heading)
    table.add_column(value, justify="right")
    for row in rows.items():
        table.add_row(*row)
    return table


def _build_table(result: Bundle, out_dir: Path, seconds: float) -> Table:
    """A bundle as a table, the largest component first."""
    by_size = sorted(result.component_bytes.items(), key=lambda item: (-item[1], item[0]))
    table = _table(str(out_dir), {name: f"{size:,}" for name, size in by_size}, "component", "bytes")
    table.add_section()
    table.add_row(SCRIPT_NAME, f"{result.code_bytes:,}")
    table.add_row(READABLE_NAME, f"{len(result.readable.encode()):,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:.1f}")
    return table


def _cost_table(explanation: Explanation) -> Table:
    table = _table(f"{explanation.recipe}: packed bytes saved by leaving out", {}, "what", "bytes")
    for component in explanation.components:
        table.add_row(component.name, f"{component.packed_bytes:,}")
        for definition in component.definitions[:_SHOWN_DEFINITIONS]:
            table.add_row(f"  {definition.name}", f"{definition.packed_bytes:,}")
        hidden = len(component.definitions) - _SHOWN_DEFINITIONS
        if hidden > 0:
            table.add_row(f"  and {hidden} more", "")
        table.add_section()
    table.add_row("stub", f"{explanation.stub_bytes:,}")
    table.add_row("shared by several", f"{explanation.shared_bytes:,}")
    return table
