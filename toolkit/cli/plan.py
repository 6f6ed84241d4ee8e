"""`golf plan`: what a recipe will cost before it is trained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.plan import Plan


@click.command("plan")
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
@click.option(
    "--fit",
    "setting",
    type=click.Choice(("num_layers", "model_dim", "mlp_mult", "vocab_size")),
    help="Show the recipe with the largest value of this setting whose estimate fits the cap.",
)
def command(recipe: str, as_json: bool, setting: str | None) -> None:
    """Parameters, FLOPs and estimated bytes of RECIPE, a built-in name or a TOML file, and whether it fits the cap.

    Builds the packed script in memory to count its bytes. Exit code 0 whether or not the estimate fits: only a trained
    artifact decides.
    """
    from rich.console import Console

    from toolkit.bundle import bundle
    from toolkit.plan import fit, make_plan
    from toolkit.recipe import load_recipe

    cfg = load_recipe(recipe)
    with Console(stderr=True).status("packing the script"):
        code_bytes = bundle(cfg).code_bytes
    plan = fit(cfg, setting, code_bytes) if setting else make_plan(cfg, code_bytes)
    if setting and not as_json:
        click.echo(f"{setting} = {getattr(plan.cfg.model, setting):,}")
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
    else:
        show(plan)


def show(plan: Plan) -> None:
    """Print a plan as a table."""
    from rich.console import Console
    from rich.table import Table

    from toolkit.check.rulebook.limits import cap_bytes
    from toolkit.plan import ESTIMATE

    table = Table(title=f"{plan.cfg.title} ({plan.cfg.name})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for kind, count in plan.parameters.items():
        table.add_row(f"{kind} parameters", f"{count:,}")
    table.add_row("parameters", f"{sum(plan.parameters.values()):,}", end_section=True)
    table.add_row("forward FLOPs a token", f"{plan.forward_flops:,}")
    table.add_row("training FLOPs a token", f"{plan.training_flops:,}")
    steps = " to ".join(f"{count:,}" for count in sorted(set(plan.steps_8xh100)))
    table.add_row("steps on 8xH100", steps, end_section=True)
    for kind, bits in plan.bits_per_weight.items():
        table.add_row(f"bits a weight, {kind}", f"{bits:.2f}")
    for method, (low, high) in plan.scheme_bytes.items():
        table.add_row(f"model bytes under {method}", f"{low:,} to {high:,}")
    table.add_row("model bytes (estimate)", f"{plan.model_bytes:,}")
    table.add_row("code bytes", f"{plan.code_bytes:,}")
    table.add_row("total bytes (estimate)", f"{plan.total_bytes:,}")
    verdict = "fits" if plan.bytes_left >= 0 else "does not fit"
    table.add_row(f"left under {cap_bytes():,}", f"{plan.bytes_left:,} ({verdict})")
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"Estimate: {ESTIMATE}.")
