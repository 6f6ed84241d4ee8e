"""`golf check`: the verdict on a submission, wherever it lies."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from toolkit.check import Report
    from toolkit.check.subject.files import Source
    from toolkit.check.subject.git import Change


@click.command("check")
@click.argument("paths", nargs=-1, metavar="PATH | --git REPO COMMIT [PATH]")
@click.option(
    "--git",
    "repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="REPO",
    help="Check a folder in a commit of this repository, which is read without a checkout.",
)
@click.option("--diff", metavar="BASE..HEAD", help="With --git: a pull request, against the merge base of the two.")
@click.option("--against", help="Scores to beat: BPB values 1.0810,1.0812, a submission.json, a folder, a leaderboard.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
@click.option("--sarif", type=click.Path(dir_okay=False, path_type=Path), help="Write SARIF 2.1.0 to this file.")
@click.option("--annotations", is_flag=True, help="Print workflow commands, which GitHub shows beside the lines.")
@click.option("--explain-bytes", is_flag=True, help="Also list the artifact in PATH by tensor and kind of bytes.")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    repository: Path | None,
    diff: str | None,
    against: str | None,
    as_json: bool,
    sarif: Path | None,
    annotations: bool,
    explain_bytes: bool,
) -> None:
    """Check a submission against the rules of its track. Nothing of it is executed.

    PATH is the folder of a build, a run or a record, or a lone script or log. With --git it lies in a commit of REPO;
    without PATH it is the folder that the commit adds.

    Exit code 0 for PASS and WARN, 1 for FAIL and for UNKNOWN (missing evidence is no pass), 2 for wrong usage.
    """
    from toolkit.check.engine import check_source
    from toolkit.check.report.formats import annotation_lines, to_sarif
    from toolkit.check.statistics.read_baseline import read_baseline
    from toolkit.folders import write_atomically

    if explain_bytes and (repository or as_json or annotations or not paths):
        raise click.UsageError("--explain-bytes: expected a PATH on disk and neither --json nor --annotations")
    source, change = _source(paths, repository, diff)
    report = check_source(source, read_baseline(against) if against else None, change)
    place = "" if repository is None and source.lone else _place(source)
    if sarif:
        write_atomically(sarif, json.dumps(to_sarif(report, place), indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    elif annotations:
        for line in annotation_lines(report, place):
            click.echo(line)
    else:
        if explain_bytes:
            from toolkit.artifacts import open_model
            from toolkit.cli.entropy import print_shares

            print_shares(open_model(Path(paths[0])))
        print_report(report)
    if not report.passed:
        ctx.exit(1)


def _place(source: "Source") -> str:
    """The folder from where a reader looks: the top of the repository, or the working directory."""
    if source.commit is None and source.root.is_relative_to(Path.cwd()):
        return source.root.relative_to(Path.cwd()).as_posix()
    return source.root.as_posix()


def _source(paths: tuple[str, ...], repository: Path | None, diff: str | None) -> "tuple[Source, Change | None]":
    from toolkit.check.subject.files import open_source
    from toolkit.check.subject.git import GitSource, Repository, read_change, the_submission

    if repository is None:
        if len(paths) != 1 or diff:
            raise click.UsageError("expected one PATH, or --git REPO with a COMMIT or --diff BASE..HEAD")
        if not Path(paths[0]).exists():
            raise click.UsageError(f"Path {paths[0]!r} does not exist.")
        return open_source(Path(paths[0])), None
    repo = Repository(repository)
    if diff:
        base, dots, head = diff.partition("..")
        if not (base and dots and head) or len(paths) > 1:
            raise click.UsageError(f"--diff: expected BASE..HEAD and at most one PATH, found {diff!r}")
        change, path = read_change(repo, base, head.lstrip(".")), paths[0] if paths else None
        return GitSource(repo, change.head, path or the_submission(change)), change
    if not 1 <= len(paths) <= 2:
        raise click.UsageError("--git: expected COMMIT and perhaps PATH")
    path = paths[1] if len(paths) == 2 else the_submission(read_change(repo, "HEAD", paths[0]))
    return GitSource(repo, paths[0], path), None


def print_report(report: "Report") -> None:
    """A table on a terminal, elsewhere a line for each finding with its evidence below; worst first, verdict last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from toolkit.check.rulebook.finding import by_severity, printable

    styles = {"FAIL": "bold red", "UNKNOWN": "magenta", "WARN": "yellow", "PASS": "green"}
    console = Console()
    if commit := report.facts.get("commit"):
        click.echo(printable(f"commit {commit}, {report.facts['path']}"))
    findings = by_severity(report.findings)
    if not console.is_terminal:
        for f in findings:
            click.echo(printable(f"{f.outcome:7} {f.rule} {f.where}: expected {f.expected}; found {f.found}"))
            if f.outcome != "PASS":
                for line in (f.evidence, f.basis):
                    if line:
                        click.echo(printable(f"        {line}"))
        click.echo(report.verdict)
        return
    table = Table("outcome", "rule", "where", "expected", "found")
    for f in findings:
        found = "\n".join(filter(None, (f.found, f.evidence, f.basis))) if f.outcome != "PASS" else f.found
        cells = (f.rule, f.where, f.expected)
        shown = [Text("\n".join(map(printable, cell.split("\n")))) for cell in (*cells, found)]
        table.add_row(Text(f.outcome, styles[f.outcome]), *shown)
    console.print(table)
    console.print(Text(report.verdict, styles[report.verdict]))
