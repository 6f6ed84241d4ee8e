"""Folders to check, each a test's own."""

from pathlib import Path

import pytest

from tests.support.folders import Folder, write_build, write_leaderboard_entry, write_record


@pytest.fixture
def record(tmp_path: Path) -> Folder:
    """A record in which everything is in order."""
    return write_record(tmp_path)


@pytest.fixture
def leaderboard(record: Folder) -> Folder:
    """The same as an entry for the leaderboard."""
    return write_leaderboard_entry(record)


@pytest.fixture
def build(tmp_path: Path) -> Folder:
    """A build with one finished run in runs/seed42."""
    return write_build(tmp_path)
