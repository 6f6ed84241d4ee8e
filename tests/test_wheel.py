"""What an installation that is not a clone has: everything that the code reads beside itself."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="needs setuptools, which builds the wheel")
def test_a_wheel_has_recipes_texts_and_rules(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("toolkit", "templates"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    (source / "templates" / "recipes" / "folder").mkdir()
    (source / "templates" / "recipes" / "folder" / "inner.toml").write_text('title = "In a folder"\n')
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    folders = (ROOT / "toolkit", ROOT / "toolkit" / "templates")
    read = [path for folder in folders for kind in ("py", "j2", "toml", "json") for path in folder.rglob(f"*.{kind}")]
    assert {str(path.relative_to(ROOT)) for path in read} <= packed
    assert {"toolkit/templates/recipes/demo.toml", "toolkit/templates/recipes/folder/inner.toml"} <= packed
    assert "toolkit/py.typed" in packed
    assert all(name.startswith(("toolkit/", "golf_toolkit-")) for name in packed)
