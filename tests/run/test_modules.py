"""Running a recipe from the modules."""

import hashlib
from pathlib import Path

import pytest

from tests.support.tiny_run import TinyRun
from toolkit.components import main as entry
from toolkit.run.modules import run_modules


@pytest.mark.parametrize("script", [None, __file__])
def test_the_named_file_counts_as_the_code(
    tiny_run: TinyRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str | None,
) -> None:
    for name, value in tiny_run.environment(tmp_path, ITERATIONS="1").items():
        monkeypatch.setenv(name, value)
    run_modules([str(tiny_run.recipe), *(["--script", script] if script else [])])
    code = Path(script or entry.__file__).read_bytes()
    output = capsys.readouterr().out
    assert f"\nCode size: {len(code)} bytes\n" in output
    assert f"\nbundle_sha256: {hashlib.sha256(code).hexdigest()}\n" in output


def test_a_recipe_that_is_none_is_one_line() -> None:
    with pytest.raises(SystemExit, match=r"^error: recipe: expected one of .* found 'sp409'; did you mean sp4096"):
        run_modules(["sp409"])
