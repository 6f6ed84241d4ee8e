"""`golf probe`: proofs by behaviour, on a recipe's miniature or on any script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.folders import BUNDLE_NAME

if TYPE_CHECKING:
    from toolkit.check.rulebook.finding import Report
    from toolkit.probe.run import Probed

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("probe")
@click.argument("what", metavar="[BUILD|RECIPE]", required=False)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--stage", help="Run this of the recipe's stages alone; all by default.")
@click.option(
    "--positions", type=click.IntRange(min=1), help="Places that kraft and causal look at; 8 and 12 by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
@click.option("--script", type=_FILE, help="Any script instead, as a black box in the sandbox.")
@click.option("--run", "shell", help="How the shell has it evaluate, in a folder with script, --with and data/.")
@click.option("--with", "files", multiple=True, type=_FILE, help="What it needs: artifact, tokenizer. Repeat for more.")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Its validation shards.")
@click.option("--vocab-size", type=click.IntRange(min=2), help="Size of its tokenizer's vocabulary.")
@click.option("--tokens", default=65, show_default=True, help="Length of the streams that the script is run on.")
@click.option("--limit", default=0, help="Number of tokens to try at the end, frequent ones first; all by default.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Runs of the script at a time.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    what: str | None,
    names: tuple[str, ...],
    stage: str | None,
    positions: int | None,
    as_json: bool,
    script: Path | None,
    **black_box: Any,
) -> None:
    """Show by running that a recipe's scores are code lengths: all probes, or those that are named.

    \b
    kraft             charges of all tokens sum to one: the whole evaluation again for each token of the vocabulary
    causal            no charge depends on what comes after it
    order             every target is charged once, and before anything learns from it
    val-independence  another validation text, the same artifact
    self-contained    the same scores in a sandbox without network and training shards
    repeat            one seed, the same artifact and scores

    What is run is the recipe's miniature, on the CPU, in two minutes or so. Outcomes for a BUILD are kept in
    BUILD/probe.json, which `golf check` reads and `golf package` asks for in the record track.

    While you work on a stage, try it in seconds: `golf probe R kraft --stage sliding+ppm_trie --positions 1`. What has
    fewer stages or positions than by default is no evidence and is not kept in probe.json.

    With --script it is any script's printed totals: do they form a code at the end of a stream? Each token of the
    vocabulary takes a run there, so that a PASS takes long; a FAIL takes fewer.

    Exit code 0 when all pass, 1 for FAIL and UNKNOWN, 2 for wrong usage.
    """
    from toolkit.cli.check import print_report

    if script:
        report = _probe_script(script, **black_box)
        content = report.to_json()
    elif what:
        report, content = _probe_recipe(what, names, stage, positions)
    else:
        raise click.UsageError("expected BUILD or RECIPE, or --script FILE")
    if as_json:
        click.echo(json.dumps(content, indent=2))
    else:
        print_report(report)
    if not report.passed:
        ctx.exit(1)


def _probe_recipe(
    what: str, names: tuple[str, ...], stage: str | None, positions: int | None
) -> tuple[Report, dict[str, Any]]:
    """Findings of the probes, and what --json prints."""
    from toolkit.check.evidence.probes import NAMES
    from toolkit.check.rulebook.finding import Report
    from toolkit.cli.display import Display
    from toolkit.probe.run import readable_script, run_probes, write_probes
    from toolkit.recipe import load_recipe
    from toolkit.record.runs import read_build
    from toolkit.run.processes import interrupt_on_termination

    if unknown := set(names) - set(NAMES):
        raise click.UsageError(f"probes: expected names of {', '.join(NAMES)}, found {', '.join(sorted(unknown))}")
    build = read_build(Path(what)) if (Path(what) / BUNDLE_NAME).is_file() else None
    cfg = build.cfg if build else load_recipe(what)
    options = [f"--stage {stage}"] * bool(stage) + [f"--positions {positions}"] * bool(positions)
    with interrupt_on_termination(), Display() as display:
        probed = run_probes(
            cfg,
            [name for name in NAMES if name in names] or NAMES,
            " ".join(["golf probe", what, *options]),
            lambda name, share: display.show(name, f"{share:.0%}", share),
            readable_script(build.folder) if build else None,
            stage,
            positions,
        )
    if build:
        write_probes(build.folder, build.sha256, probed)
    if tries := [one.name for one in probed if not one.is_whole]:
        click.echo(f"{', '.join(tries)}: a try, with fewer stages or positions than evidence takes; not kept", err=True)
    report = Report(tuple(finding for one in probed for finding in one.findings), {})
    return report, _to_json(cfg.name, report, probed)


def _probe_script(
    script: Path,
    shell: str | None,
    files: tuple[Path, ...],
    data: Path | None,
    vocab_size: int | None,
    tokens: int,
    limit: int,
    jobs: int,
) -> Report:
    """Findings on a black box."""
    from toolkit.check.rulebook.finding import Report
    from toolkit.cli.display import Display
    from toolkit.probe.blackbox import run
    from toolkit.run.processes import interrupt_on_termination

    if shell is None or data is None or vocab_size is None:
        raise click.UsageError("--script: expected --run, --data and --vocab-size beside it")
    with interrupt_on_termination(), Display() as display:

        def show(share: float) -> None:
            display.show(script.name, f"{share:.0%}", share)

        return Report(tuple(run(script, shell, files, data, vocab_size, tokens, limit, jobs, show)), {})


def _to_json(recipe: str, report: Report, probed: list[Probed]) -> dict[str, object]:
    content = report.to_json()
    return {
        "recipe": recipe,
        "verdict": content["verdict"],
        "findings": content["findings"],
        "seconds": {one.name: round(one.seconds, 1) for one in probed},
        "stages": list(probed[0].stages),
        "positions": {one.name: one.positions for one in probed if one.positions},
        "tries": [one.name for one in probed if not one.is_whole],
    }
