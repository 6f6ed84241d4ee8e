"""Submissions in commits and pull requests, read from the object database of a repository that is not trusted."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.folders import Folder
from tests.support.repository import ENTRY, commit, git, write_repository
from toolkit.check.engine import check_source
from toolkit.check.subject.git import GitSource, Repository, read_change, submission_folders, the_submission
from toolkit.cli.check import command
from toolkit.errors import GolfError


@pytest.fixture
def repo(record: Folder) -> Path:
    return write_repository(record, "The competition\n")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_commit_reads_like_the_folder(repo: Path, record: Folder) -> None:
    report = check_source(GitSource(Repository(repo), "entry", ENTRY)).to_json()
    folder = record.check().to_json()
    assert report["facts"]["seeds"] == folder["facts"]["seeds"]
    assert report["facts"]["commit"] == git(repo, "rev-parse", "entry")
    outcomes = {(f["rule"], f["where"]): f["outcome"] for f in report["findings"]}
    assert outcomes.items() >= {(f["rule"], f["where"]): f["outcome"] for f in folder["findings"]}.items()
    assert report["verdict"] == "PASS"


def test_the_folder_that_a_commit_adds_is_found(repo: Path) -> None:
    result = run("--git", repo, "entry")
    assert result.exit_code == 0
    assert result.output.startswith(f"commit {git(repo, 'rev-parse', 'entry')}, {ENTRY}\n")
    assert run("--git", repo, "entry", ENTRY).output == result.output


def test_a_lone_script_in_a_commit(repo: Path) -> None:
    report = check_source(GitSource(Repository(repo), "entry", f"{ENTRY}/train_gpt.py"))
    assert report.facts["kind"] == "script"
    assert {f.outcome for f in report.findings if f.rule == "SIZE-CAP"} == {"PASS"}


def test_a_pull_request_that_adds_one_folder(repo: Path) -> None:
    # main goes on meanwhile: the merge base counts, not the tip
    git(repo, "checkout", "-q", "main")
    (repo / "other.txt").write_text("later")
    commit(repo, "later")
    result = run("--git", repo, "--diff", "main..entry")
    assert result.exit_code == 0
    assert "WARN" not in result.output
    assert "found 9 files added" in result.output


def test_everything_else_that_a_pull_request_touches_is_named(repo: Path) -> None:
    (repo / "README.md").write_text("edited")
    (repo / ".gitignore").write_text("*.bin\n")
    second = repo / "records" / "track_10min_16mb" / "2026-04-01_Old"
    second.mkdir(parents=True)
    (second / "train_gpt.py").write_text("pass\n")
    head = commit(repo, "noise")
    repository = Repository(repo)
    change = read_change(repository, "main", head)
    assert submission_folders(change) == [second.relative_to(repo).as_posix(), ENTRY]
    report = check_source(GitSource(repository, head, the_submission(change)), None, change)
    warned = {f.where: f.found for f in report.findings if f.rule == "ONE-FOLDER" and f.outcome == "WARN"}
    assert warned == {
        "README.md": "edited",
        ".gitignore": "added",
        "records/track_10min_16mb/2026-04-01_Old": "another submission's folder",
    }


def test_a_folder_in_the_wrong_place_or_of_another_name(repo: Path) -> None:
    git(repo, "mv", ENTRY, "FINAL")
    head = commit(repo, "moved")
    report = check_source(GitSource(Repository(repo), head, "FINAL"))
    warned = {f.where for f in report.findings if f.rule == "ONE-FOLDER" and f.outcome == "WARN"}
    assert warned == {"folder name", "folder place"}


def test_nothing_of_the_repository_runs(repo: Path, tmp_path: Path) -> None:
    """Hooks, filters, drivers, helpers and aliases in its configuration stay asleep."""
    witness = tmp_path / "witness"
    script = f"touch {witness}"
    for key in (
        "core.pager",
        "core.fsmonitor",
        "core.sshCommand",
        "diff.external",
        "diff.x.textconv",
        "alias.cat-file",
    ):
        git(repo, "config", key, f"!{script}" if key.startswith("alias") else script)
    git(repo, "config", "remote.origin.promisor", "true")
    git(repo, "config", "remote.origin.url", f"ext::sh -c {script}")
    (repo / ".gitattributes").write_text("* diff=x\n")
    witness.unlink(missing_ok=True)
    assert run("--git", repo, "--diff", "main..entry").exit_code == 0
    assert not witness.exists()


def test_links_in_a_commit_are_problems_not_paths(repo: Path) -> None:
    log = repo / ENTRY / "train_seed42.log"
    log.unlink()
    log.symlink_to("/etc/passwd")
    head = commit(repo, "link")
    report = check_source(GitSource(Repository(repo), head, ENTRY))
    assert ("train_seed42.log", "expected a file, found a link") not in {(f.where, f.evidence) for f in report.findings}
    assert ("train_seed42.log", "UNKNOWN", "expected a file, found a link") in {
        (f.where, f.outcome, f.found) for f in report.findings
    }


@pytest.mark.parametrize("name", ["nowhere", "--output=/tmp/x", "main:README.md", "0" * 40])
def test_what_is_no_commit_is_one_line(repo: Path, name: str) -> None:
    with pytest.raises(GolfError, match="expected a commit, found") as caught:
        GitSource(Repository(repo), name, "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere", "../..", "/etc", ":(top)README.md"])
def test_paths_stay_in_the_commit(repo: Path, path: str) -> None:
    with pytest.raises(GolfError):
        GitSource(Repository(repo), "entry", path)


def test_wrong_usage(repo: Path) -> None:
    assert run("--git", repo).exit_code == 2
    assert run("--git", repo, "--diff", "main").exit_code == 2
    assert run(repo, repo).exit_code == 2
    assert run("--diff", "main..entry", repo).exit_code == 2
