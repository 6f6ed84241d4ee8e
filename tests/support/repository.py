"""A repository of the competition with one entry, and git without anybody's settings."""

import os
import subprocess
from pathlib import Path

from tests.support.folders import Folder

ENTRY = "records/track_non_record_16mb/2026-05-02_Demo"


def git(repo: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environment = os.environ | identity | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", "-C", str(repo), *arguments], env=environment, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(repo: Path, message: str) -> str:
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def write_repository(record: Folder, readme: str) -> Path:
    """The record becomes what branch `entry`, which is checked out, adds to `main`."""
    top = record.path.parents[2]
    aside = top.parent / "aside"
    (top / "records").rename(aside)
    git(top, "init", "-q", "-b", "main")
    (top / "README.md").write_text(readme)
    commit(top, "start")
    git(top, "checkout", "-q", "-b", "entry")
    aside.rename(top / "records")
    commit(top, "entry")
    return top
