"""`golf package`: from finished runs to a record folder."""

from pathlib import Path

import click

from toolkit.folders import RECORDS_DIR


@click.command("package")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--author", required=True, help="Name to be credited.")
@click.option("--github-id", required=True, help="GitHub account of the author.")
@click.option("--name", help="Title of the submission; default: the recipe's.")
@click.option("--blurb", default="", help="A sentence or two on what is new.")
@click.option("--date", help="YYYY-MM-DD of the folder; default: today.")
@click.option(
    "--records-dir",
    default=RECORDS_DIR,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of all records; the new one goes to <track>/<date>_<Name> in it.",
)
@click.option("--against", help="Scores that a record has to beat, as for `golf check`.")
@click.option("--allow-unknown", is_flag=True, help="Package although evidence for some rule is missing.")
def command(
    runs: tuple[Path, ...],
    author: str,
    github_id: str,
    name: str | None,
    blurb: str,
    date: str | None,
    records_dir: Path,
    against: str | None,
    allow_unknown: bool,
) -> None:
    """Check RUNS (folders that `golf train` wrote, one a seed) and write them as a record.

    Nothing is written when a check fails, or when one lacks its evidence and --allow-unknown is not given. The text of
    the pull request is put beside the record, as <folder>.pr.md, because a pull request adds one folder only.
    """
    from toolkit.check.statistics.read_baseline import read_baseline
    from toolkit.cli.check import print_report
    from toolkit.record.package import RefusedRecord, package

    baseline = read_baseline(against) if against else None
    try:
        record = package(runs, author, github_id, records_dir, date, name, blurb, allow_unknown, baseline)
    except RefusedRecord as refused:
        print_report(refused.report)
        raise
    click.echo(record)
