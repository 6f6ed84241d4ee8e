"""`golf plan`: what a recipe will cost before it is trained."""

from __future__ import annotations

import json
from typing import Any

import click


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

    Builds the packed script in memory to count its bytes. Without torch nothing else can be counted. The exit code is 0
    whether or not the estimate fits: only a trained artifact decides.
    """
    from rich.console import Console

    from toolkit.bundle import bundle
    from toolkit.plan import can_count, fit, make_plan, uncounted
    from toolkit.recipe import load_recipe

    cfg = load_recipe(recipe)
    if setting:
        import torch  # noqa: F401 - missing, it is missed before anything takes time
    with Console(stderr=True).status("packing the script"):
        code_bytes = bundle(cfg).code_bytes
    if setting:
        plan = fit(cfg, setting, code_bytes)
        facts = plan.to_json()
        if not as_json:
            click.echo(f"{setting} = {getattr(plan.cfg.model, setting):,}")
    else:
        facts = make_plan(cfg, code_bytes).to_json() if can_count() else uncounted(cfg, code_bytes)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        show(facts)


def show(facts: dict[str, Any]) -> None:
    """Print a plan as a table, given as `Plan.to_json` or `uncounted` returns it."""
    from rich.console import Console
    from rich.table import Table

    from toolkit.check.rulebook.limits import cap_bytes
    from toolkit.plan import NOT_COUNTED

    def shown(key: str) -> str:
        return "-" if facts[key] is None else f"{facts[key]:,}"

    table = Table(title=f"{facts['title']} ({facts['recipe']})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for kind, count in (facts["parameters_by_kind"] or {}).items():
        table.add_row(f"{kind} parameters", f"{count:,}")
    table.add_row("parameters", shown("parameters"), end_section=True)
    table.add_row("forward FLOPs per token", shown("forward_flops_per_token"))
    table.add_row("training FLOPs per token", shown("training_flops_per_token"))
    steps = " to ".join(f"{count:,}" for count in sorted(set(facts["steps_8xh100"] or ())))
    table.add_row("steps on 8xH100", steps or "-", end_section=True)
    for kind, bits in (facts["bits_per_weight"] or {}).items():
        table.add_row(f"bits per weight, {kind}", f"{bits:.2f}")
    for method, (low, high) in (facts["model_bytes_by_method"] or {}).items():
        table.add_row(f"model bytes under {method}", f"{low:,} to {high:,}")
    table.add_row("model bytes (estimate)", shown("estimated_model_bytes"))
    table.add_row("code bytes", shown("code_bytes"))
    table.add_row("total bytes (estimate)", shown("estimated_total_bytes"))
    verdict = {True: " (fits)", False: " (does not fit)", None: ""}[facts["fits"]]
    table.add_row(f"left under {cap_bytes():,}", shown("estimated_bytes_left") + verdict)
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(NOT_COUNTED if facts["parameters"] is None else f"Estimate: {facts['estimate']}.")
