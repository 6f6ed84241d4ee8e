"""`golf check`: the verdict on a build, a run or a records folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.check import Report


@click.command("check")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
@click.option("--against", help="Scores a record has to beat: BPB values 1.0810,1.0812, a submission.json or a folder.")
@click.pass_context
def command(ctx: click.Context, path: Path, as_json: bool, against: str | None) -> None:
    """Check PATH, the folder of a build, a run or a record, against the rules of its track. Nothing in it is executed.

    Exit code 0 for PASS and WARN, 1 for FAIL and for UNKNOWN (missing evidence is no pass), 2 for wrong usage.
    """
    from toolkit.check import check_path
    from toolkit.check.acceptance import read_baseline

    report = check_path(path, read_baseline(against) if against else None)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        print_report(report)
    if not report.passed:
        ctx.exit(1)


def print_report(report: "Report") -> None:
    """A table on a terminal; elsewhere a line for each finding, its evidence below it. The verdict comes last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from toolkit.check.report import by_severity, printable

    styles = {"FAIL": "bold red", "UNKNOWN": "magenta", "WARN": "yellow", "PASS": "green"}
    console = Console()
    if not console.is_terminal:
        for f in report.findings:
            click.echo(printable(f"{f.outcome:7} {f.rule} {f.where}: expected {f.expected}; found {f.found}"))
            if f.evidence and f.outcome != "PASS":
                click.echo(printable(f"        {f.evidence}"))
        click.echo(report.verdict)
        return
    table = Table("outcome", "rule", "where", "expected", "found")
    for f in by_severity(report.findings):
        found = f"{f.found}\n{f.evidence}" if f.evidence and f.outcome != "PASS" else f.found
        cells = (f.rule, f.where, f.expected)
        shown = [Text("\n".join(map(printable, cell.split("\n")))) for cell in (*cells, found)]
        table.add_row(Text(f.outcome, styles[f.outcome]), *shown)
    console.print(table)
    console.print(Text(report.verdict, styles[report.verdict]))
