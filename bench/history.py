"""Scripts from a clone of a competition's repository, read with git and never checked out or executed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from toolkit.folders import SCRIPT_NAME


def git(repo: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(repo), *arguments], stdout=subprocess.PIPE, check=True).stdout


def scripts_at(repo: Path, commit: str, folder: str = "") -> dict[str, str]:
    """Path -> blob of every script under a folder of a commit."""
    listing = git(repo, "ls-tree", "-r", "-z", commit, "--", *([folder] if folder else [])).decode("utf-8", "replace")
    found = {}
    for entry in listing.split("\0"):
        facts, _, path = entry.partition("\t")
        if path.rpartition("/")[2] == SCRIPT_NAME:
            found[path] = facts.split()[2]
    return found


def pull_request_heads(repo: Path) -> dict[str, str]:
    """Name -> commit of every pull request's head."""
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/pull").decode().splitlines()
    heads = dict(line.split() for line in lines)
    return {name: commit for name, commit in heads.items() if name.endswith("/head")}


def read_blobs(repo: Path, blobs: list[str]) -> Iterator[tuple[str, bytes]]:
    """Each blob with its content."""
    for blob in blobs:
        yield blob, git(repo, "cat-file", "blob", blob)
