"""`golf plan`: what a recipe will cost before it is trained."""

import json

import click


@click.command("plan")
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def command(recipe: str, as_json: bool) -> None:
    """Parameters, FLOPs and estimated bytes of RECIPE, a built-in name or a TOML file, and whether it fits the cap.

    Builds the packed script in memory to count its bytes. Exit code 0 whether or not the estimate fits: only a trained
    artifact decides.
    """
    from rich.console import Console
    from rich.table import Table

    from toolkit.bundle import bundle
    from toolkit.plan import ESTIMATE, make_plan
    from toolkit.recipe import load_recipe
    from toolkit.units import CAP_BYTES

    cfg = load_recipe(recipe)
    with Console(stderr=True).status("packing the script"):
        code_bytes = bundle(cfg).code_bytes
    plan = make_plan(cfg, code_bytes)
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
        return
    table = Table(title=f"{cfg.title} ({cfg.name})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for kind in ("matrix", "embed", "scalar"):
        table.add_row(f"{kind} parameters", f"{plan.parameters[kind]:,}")
    table.add_row("parameters", f"{sum(plan.parameters.values()):,}", end_section=True)
    table.add_row("forward FLOPs a token", f"{plan.forward_flops:,}")
    table.add_row("training FLOPs a token", f"{plan.training_flops:,}")
    table.add_row(
        "steps on 8xH100", " to ".join(f"{steps:,}" for steps in sorted(set(plan.steps_8xh100))), end_section=True
    )
    for kind, bits in plan.bits_per_weight.items():
        table.add_row(f"bits a weight, {kind}", f"{bits:.2f}")
    table.add_row("model bytes (estimate)", f"{plan.model_bytes:,}")
    table.add_row("code bytes", f"{plan.code_bytes:,}")
    table.add_row("total bytes (estimate)", f"{plan.total_bytes:,}")
    verdict = "fits" if plan.bytes_left >= 0 else "does not fit"
    table.add_row(f"left under {CAP_BYTES:,}", f"{plan.bytes_left:,} ({verdict})")
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"Estimate: {ESTIMATE}.")
