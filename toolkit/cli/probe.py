"""`golf probe`: proofs by behaviour, on a recipe's tiny twin or on any script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.check.report import Report
    from toolkit.probe.run import Probed


@click.command("probe")
@click.argument("what", metavar="BUILD|RECIPE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
@click.pass_context
def command(ctx: click.Context, what: str, names: tuple[str, ...], as_json: bool) -> None:
    """Show by running that a recipe's scores are code lengths: all probes, or those that are named.

    \b
    kraft             charges of all tokens sum to one: the whole evaluation again for each token of the vocabulary
    causal            no charge depends on what comes after it
    order             every target is charged once, and before anything learns from it
    val-independence  another validation text, the same artifact
    self-contained    the same scores in a sandbox without network and training shards
    repeat            one seed, the same artifact and scores

    What is run is the recipe's tiny twin, on the CPU, in two minutes or so. Outcomes for a BUILD are kept in
    BUILD/probe.json, which `golf check` reads and `golf package` asks for in the record track.

    Exit code 0 when all pass, 1 for FAIL and UNKNOWN, 2 for wrong usage.
    """
    from toolkit.check.probes import NAMES
    from toolkit.check.report import Report
    from toolkit.cli.check import print_report
    from toolkit.cli.display import Display
    from toolkit.probe.run import run_probes, write_probes
    from toolkit.recipe import load_recipe
    from toolkit.record.runs import read_build

    if unknown := set(names) - set(NAMES):
        raise click.UsageError(f"probes: expected names of {', '.join(NAMES)}, found {', '.join(sorted(unknown))}")
    build = read_build(Path(what)) if (Path(what) / "bundle.json").is_file() else None
    cfg = build.cfg if build else load_recipe(what)
    readable = (build.folder / "train_gpt_readable.py").read_text(encoding="utf-8") if build else None
    with Display() as display:
        probed = run_probes(
            cfg,
            [name for name in NAMES if name in names] or NAMES,
            f"golf probe {what}",
            lambda name, share: display.show(name, f"{share:.0%}", share),
            readable,
        )
    if build:
        write_probes(build.folder, build.sha256, probed)
    report = Report(tuple(finding for one in probed for finding in one.findings), {})
    if as_json:
        click.echo(json.dumps(_to_json(cfg.name, report, probed), indent=2))
    else:
        print_report(report)
    if not report.passed:
        ctx.exit(1)


def _to_json(recipe: str, report: Report, probed: list[Probed]) -> dict[str, object]:
    content = report.to_json()
    seconds = {one.name: round(one.seconds, 1) for one in probed}
    return {"recipe": recipe, "verdict": content["verdict"], "findings": content["findings"], "seconds": seconds}
