"""`golf build`: files, table and object."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.bundle.minify import order
from toolkit.bundle.proof import verify
from toolkit.cli.main import golf
from toolkit.components.config import Config
from toolkit.errors import GolfError
from toolkit.unpack.unpack import unpack


@pytest.fixture(autouse=True)
def _quick_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(order, "STEPS", 1)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(golf, ["build", *arguments])


def test_default_folder_and_table(tmp_path: Path) -> None:
    result = invoke("naive_baseline")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "build" / "naive_baseline"
    code_bytes = (folder / "train_gpt.py").stat().st_size
    for text in ("build/naive_baseline", f"{code_bytes:,}", "train_gpt_readable.py", "optimizer", "seconds"):
        assert text in result.output


def test_object_and_folder(tmp_path: Path) -> None:
    result = invoke("naive_baseline", "-o", "elsewhere", "--json")
    facts = json.loads(result.stdout)
    assert facts["recipe"] == "naive_baseline"
    assert facts["out_dir"] == "elsewhere"
    assert facts["code_bytes"] == (tmp_path / "elsewhere" / "train_gpt.py").stat().st_size
    assert facts["readable_bytes"] == (tmp_path / "elsewhere" / "train_gpt_readable.py").stat().st_size
    assert facts["sha256"] == json.loads((tmp_path / "elsewhere" / "bundle.json").read_text())["sha256"]["train_gpt.py"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["naive_baselin"], "did you mean naive_baseline"),
        (["missing.toml"], "found none at missing.toml"),
        (["naive_baseline", "-o", "taken"], "taken"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "taken").write_text("a file")
    result = invoke(*arguments)
    assert result.exit_code in (1, 2)
    assert expected in result.output
    assert "Traceback" not in result.output
    assert (tmp_path / "taken").read_text() == "a file"
    assert not (tmp_path / "build").exists()


def test_encoding(tmp_path: Path) -> None:
    sizes = {}
    for encoding in ("base85", "latin1", "auto"):
        assert invoke("naive_baseline", "--encoding", encoding).exit_code == 0
        script = (tmp_path / "build" / "naive_baseline" / "train_gpt.py").read_bytes()
        sizes[encoding] = len(script)
        assert script.isascii() == (encoding == "base85")
        assert unpack(script).layers
    assert sizes["auto"] == sizes["latin1"] < sizes["base85"]
    assert "rot13" in invoke("naive_baseline", "--encoding", "rot13").output


def test_explanation_as_table_object_and_picture(tmp_path: Path) -> None:
    result = invoke("naive_baseline", "--explain")
    assert result.exit_code == 0, result.output
    assert "log_settings" in result.output
    assert "shared by several" in result.output
    picture = ElementTree.parse(tmp_path / "build" / "naive_baseline" / "explain.svg")
    facts = json.loads(invoke("naive_baseline", "--explain", "--json").stdout)
    components = {item["name"]: item for item in facts["explanation"]["components"]}
    assert facts["explanation"]["code_bytes"] == facts["code_bytes"]
    assert components["main"]["definitions"][0]["name"] == "log_settings"
    assert any("log_settings" in (node.text or "") for node in picture.iter("{http://www.w3.org/2000/svg}title"))


def test_failed_proof_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cfg: Config, encoding: str) -> None:
        raise GolfError("numbers: expected the same bits from modules and packed")

    monkeypatch.setattr(verify, "verify", fail)
    result = invoke("naive_baseline", "--verify")
    assert result.exit_code == 1
    assert "expected the same bits" in result.output
    assert not (tmp_path / "build").exists()
