"""Fixtures for every folder of tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.stand_in import write_stand_in_build
from tests.support.tiny_run import TinyRun, write_tiny_run
from toolkit.run.launch import launch

settings.register_profile("suite", deadline=None)  # a busy machine fails no test
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The bundler keeps results in the user's cache folder; the tests begin with an empty one that workers share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield


@pytest.fixture
def cold_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def stand_in_build(tmp_path: Path) -> Path:
    """A build whose script is a stand-in, without runs."""
    return write_stand_in_build(tmp_path / "build" / "stand_in")


@pytest.fixture(scope="session")
def _launched_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = write_stand_in_build(tmp_path_factory.mktemp("launched") / "stand_in")
    for seed in (42, 1337, 2025):
        launch(build, seed)
    return build


@pytest.fixture
def stand_in_runs(_launched_build: Path, tmp_path: Path) -> list[Path]:
    """Three finished runs of the stand-in build, launched under torchrun; a copy of its own for every test."""
    build = tmp_path / "build" / "demo"
    shutil.copytree(_launched_build, build)
    return [build / "runs" / f"seed{seed}" for seed in (42, 1337, 2025)]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Shared by all tests: nobody writes to its folder."""
    return write_tiny_run(tmp_path_factory.mktemp("tiny"))
