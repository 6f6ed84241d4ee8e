"""How often the checker is right: on labelled submissions, and how it fares on all pull requests of a repository.

    python -m bench.check --repo BARE_GIT --manifest FILE [--json]
    python -m bench.check --sweep BARE_GIT [--json]

A manifest has one JSON object a line: id, commit, path of a folder or script, label (legal, disputed or illegal), and
the rules that an illegal entry violates. The folder around a script is judged with it. No entry is ever executed.
"""

import json
import resource
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from toolkit.check.engine import check_source
from toolkit.check.rulebook.finding import OUTCOMES, Finding, Report, printable
from toolkit.check.subject.git import GitSource, Repository, read_change, the_submission
from toolkit.errors import GolfError

LABELS = ("illegal", "legal", "disputed")
_SLOWEST = 10


@dataclass(frozen=True)
class Judged:
    """One submission. `error` describes a crash or, if `refused`, why there was nothing to check."""

    id: str
    seconds: float
    report: Report | None
    error: str = ""
    refused: bool = False
    label: str = ""
    violations: tuple[str, ...] = ()

    def findings(self, *outcomes: str, labelled: bool = False) -> list[Finding]:
        """Findings with these outcomes; if asked, only those of the rules that the label names."""
        found = self.report.findings if self.report else ()
        return [f for f in found if f.outcome in outcomes and (not labelled or f.rule in self.violations)]


def judge(repository: Repository, commit: str, path: str | None, name: str = "", **label: Any) -> Judged:
    """Check a folder of a commit, or what a pull request adds without a path; an exception becomes a result."""
    start = time.perf_counter()
    report, error, refused = None, "", False
    try:
        change = None
        if path is None:
            change = read_change(repository, "HEAD", commit)
            path = the_submission(change)
        folder = path.rpartition("/")[0] if path.endswith(".py") else path
        report = check_source(GitSource(repository, commit, folder), None, change)
    except GolfError as problem:
        error, refused = str(problem), True
    except Exception as crash:  # a benchmark must count what should not happen
        error = f"{type(crash).__name__}: {crash}"
    return Judged(name or commit, time.perf_counter() - start, report, error, refused, **label)


def judge_manifest(repository: Repository, manifest: Path) -> Iterator[Judged]:
    """The entries of a manifest; `GolfError` for a line that is none."""
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            place = (entry["commit"], entry["path"], entry["id"])
            label = {"label": entry["label"], "violations": tuple(entry["violations"])}
        except (ValueError, KeyError, TypeError) as error:
            raise GolfError(f"{manifest}:{number}: expected id, commit, path, label, violations; {error}") from None
        yield judge(repository, *place, **label)


def judge_heads(repository: Repository) -> Iterator[Judged]:
    """Every pull request, by number."""
    refs = repository.run("for-each-ref", "--format=%(refname)", "refs/pull/*/head").split()
    for ref in sorted(refs, key=lambda ref: int(ref.split("/")[2])):
        yield judge(repository, ref, None, "#" + ref.split("/")[2])


def outcomes_by_rule(judged: Iterable[Judged]) -> dict[str, dict[str, int]]:
    """Rule -> worst outcome of an entry under it -> number of entries."""
    counts: dict[str, Counter[str]] = {}
    for entry in judged:
        worst: dict[str, str] = {}
        for finding in entry.report.findings if entry.report else ():
            worst[finding.rule] = min(finding.outcome, worst.get(finding.rule, "PASS"), key=OUTCOMES.index)
        for rule, outcome in worst.items():
            counts.setdefault(rule, Counter())[outcome] += 1
    return {rule: {outcome: count[outcome] for outcome in OUTCOMES} for rule, count in sorted(counts.items())}


def summarize(judged: list[Judged]) -> dict[str, Any]:
    """Figures of a manifest: outcomes per label and rule, recall with the right rule named, wrong FAILs."""
    illegal = [entry for entry in judged if entry.label == "illegal"]
    flagged = [entry for entry in illegal if entry.findings("FAIL", "WARN", labelled=True)]
    failed = [entry for entry in illegal if entry.findings("FAIL", labelled=True)]
    return {
        "rules": {label: outcomes_by_rule(e for e in judged if e.label == label) for label in LABELS},
        "illegal": len(illegal),
        "flagged": len(flagged),
        "failed": len(failed),
        "missed": [entry.id for entry in illegal if entry not in flagged],
        "only_warned": [entry.id for entry in flagged if entry not in failed],
        "wrong_fails": {
            label: {e.id: [_line(f) for f in e.findings("FAIL")] for e in judged if e.label == label}
            | {e.id: [e.error] for e in judged if e.label == label and e.error}
            for label in LABELS[1:]
        },
        **_cost(judged),
    }


def summarize_sweep(judged: list[Judged]) -> dict[str, Any]:
    """Figures of a sweep: verdicts, crashes, the rules that fired most, the slowest."""
    checked = [entry for entry in judged if entry.report]
    fired = {rule: row["FAIL"] + row["WARN"] for rule, row in outcomes_by_rule(checked).items()}
    verdicts = Counter(entry.report.verdict for entry in checked if entry.report)
    return {
        "verdicts": dict(verdicts) | {"no submission": sum(entry.refused for entry in judged)},
        "rules": outcomes_by_rule(checked),
        "fired_most": dict(sorted(fired.items(), key=lambda item: -item[1])[:_SLOWEST]),
        **_cost(judged),
    }


def _cost(judged: list[Judged]) -> dict[str, Any]:
    seconds = {entry.id: round(entry.seconds, 3) for entry in judged}
    return {
        "entries": len(judged),
        "crashes": {entry.id: entry.error for entry in judged if entry.error and not entry.refused},
        "median_seconds": median(seconds.values()) if seconds else None,
        "slowest": dict(sorted(seconds.items(), key=lambda item: -item[1])[:_SLOWEST]),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _line(finding: Finding) -> str:
    return printable(f"{finding.rule} {finding.where}: expected {finding.expected}; found {finding.found}")


def _print_rules(rules: dict[str, dict[str, int]]) -> None:
    for rule, row in rules.items():
        click.echo(f"  {rule:26}" + "".join(f"{outcome:>8} {row[outcome]:4}" for outcome in OUTCOMES))


def print_summary(summary: dict[str, Any]) -> None:
    """For people."""
    if "verdicts" in summary:
        click.echo("verdicts: " + ", ".join(f"{name} {count}" for name, count in sorted(summary["verdicts"].items())))
        _print_rules(summary["rules"])
        click.echo("fired most: " + ", ".join(f"{rule} {count}" for rule, count in summary["fired_most"].items()))
    else:
        for label in LABELS:
            click.echo(f"{label}: entries by their worst outcome")
            _print_rules(summary["rules"][label])
        total = summary["illegal"]
        for word in ("flagged", "failed"):
            share = 100 * summary[word] / total if total else 0.0
            click.echo(f"illegal entries {word} under a labelled rule: {summary[word]} of {total} ({share:.1f} %)")
        click.echo("missed: " + (", ".join(summary["missed"]) or "none"))
        click.echo("only warned: " + (", ".join(summary["only_warned"]) or "none"))
        for label, entries in summary["wrong_fails"].items():
            wrong = {name: lines for name, lines in entries.items() if lines}
            click.echo(f"{label} entries with a FAIL: {len(wrong)}")
            for name, lines in wrong.items():
                click.echo("\n".join((f"  {name}", *(f"    {line}" for line in lines))))
    click.echo(f"crashes: {len(summary['crashes'])}")
    for name, error in summary["crashes"].items():
        click.echo(f"  {name}: {printable(error)}")
    if summary["entries"]:
        slowest = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary["slowest"].items())
        click.echo(f"seconds: median {summary['median_seconds']:.2f} of {summary['entries']}; slowest {slowest}")
    click.echo(f"peak memory: {summary['peak_memory_mib']} MiB")


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--repo", type=_FOLDER, help="The repository, bare or not, that the manifest points into.")
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Labelled entries.")
@click.option("--sweep", type=_FOLDER, help="Check every pull-request head of this repository instead.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of lines.")
def main(repo: Path | None, manifest: Path | None, sweep: Path | None, as_json: bool) -> None:
    """Measure the checker."""
    if sweep and not (repo or manifest):
        summary = summarize_sweep(list(judge_heads(Repository(sweep))))
    elif repo and manifest and not sweep:
        summary = summarize(list(judge_manifest(Repository(repo), manifest)))
    else:
        raise click.UsageError("expected --repo with --manifest, or --sweep alone")
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        print_summary(summary)


if __name__ == "__main__":
    try:
        main()
    except GolfError as error:
        raise SystemExit(str(error)) from None
