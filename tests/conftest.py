"""Fixtures for every folder of tests."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def stand_in_build(tmp_path: Path) -> Path:
    """A build folder whose script is `stand_in.py`: it writes and prints what a real one does, without training."""
    build = tmp_path / "build" / "stand_in"
    build.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("stand_in.py"), build / "train_gpt.py")
    return build
