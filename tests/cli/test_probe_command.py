"""`golf probe`: on a recipe and on a build, with its file and exit codes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.tiny_run import TinyRun
from toolkit.bundle.build import ENTRY, make_readable
from toolkit.bundle.link.resolve import read_modules
from toolkit.check.evidence.probes import NAMES
from toolkit.cli.main import golf
from toolkit.probe import run
from toolkit.probe.scene import Scene
from toolkit.recipe import load_recipe


@pytest.fixture(scope="module")
def readable(tiny_run: TinyRun) -> str:
    return make_readable(load_recipe(tiny_run.recipe), read_modules(ENTRY))[0]


@pytest.fixture
def build(readable: str, tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A build whose script is not packed, which spares a minute."""
    (tmp_path / "recipe.toml").write_text(tiny_run.recipe.read_text())
    write_scripts(tmp_path, readable)
    return tmp_path


def write_scripts(build: Path, text: str) -> None:
    names = ("train_gpt.py", "train_gpt_readable.py")
    for name in names:
        (build / name).write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (build / "bundle.json").write_text(json.dumps({"recipe": "tiny", "sha256": dict.fromkeys(names, digest)}))


def test_all_probes_have_a_name_and_the_other_way_round() -> None:
    assert tuple(run.PROBES) == NAMES


def test_a_build_keeps_its_outcomes(build: Path) -> None:
    result = CliRunner().invoke(golf, ["probe", str(build), "repeat", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["recipe"], report["verdict"]) == ("tiny", "PASS")
    (finding,) = report["findings"]
    assert (finding["rule"], finding["where"]) == ("REPRODUCIBLE", "repeat probe")
    assert finding["evidence"] == f"`golf probe {build} repeat`"
    assert list(json.loads((build / "probe.json").read_text())["probes"]) == ["repeat"]


def test_outcomes_of_several_runs_add_up_and_those_of_another_script_go(build: Path) -> None:
    stages = ("roundtrip", "sliding")
    one, other = (run.Probed(name, f"golf probe x {name}", 1.0, (), stages) for name in ("repeat", "kraft"))
    run.write_probes(build, "a", [one])
    run.write_probes(build, "a", [other])
    assert list(json.loads((build / "probe.json").read_text())["probes"]) == ["kraft", "repeat"]
    run.write_probes(build, "b", [one])
    assert list(json.loads((build / "probe.json").read_text())["probes"]) == ["repeat"]
    assert not list(build.glob(".probe*"))


def test_one_stage_at_one_place_is_a_try(build: Path) -> None:
    """Of the program of a build, but no evidence for it: what probe.json has stays as it is."""
    run.write_probes(build, "a", [run.Probed("causal", "golf probe x causal", 1.0, (), ("roundtrip", "sliding"), 12)])
    before = (build / "probe.json").read_bytes()
    options = ["--stage", "sliding", "--positions", "1"]
    result = CliRunner().invoke(golf, ["probe", str(build), "causal", "order", *options, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["stages"], report["positions"], report["tries"]) == (["sliding"], {"causal": 1}, ["causal", "order"])
    assert [finding["rule"] for finding in report["findings"]] == ["C1-CAUSAL", "C3-SCORE-FIRST", "C4-SINGLE-PASS"]
    assert all("sliding window" in finding["where"] for finding in report["findings"])
    assert report["findings"][0]["evidence"] == f"`golf probe {build} --stage sliding --positions 1 causal`"
    assert "causal, order: a try" in result.stderr
    assert (build / "probe.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], {"kraft": 8, "repeat": None}),
        (["--positions", "9"], {"kraft": 9, "repeat": None}),
        (["--positions", "7"], {"repeat": None}),
        (["--stage", "roundtrip"], {}),
    ],
)
def test_what_looks_at_less_is_not_kept(
    build: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], kept: dict[str, int | None]
) -> None:
    monkeypatch.setitem(run.PROBES, "kraft", lambda scene: [])
    monkeypatch.setitem(run.PROBES, "repeat", lambda scene: [])
    CliRunner().invoke(golf, ["probe", str(build), "kraft", "repeat", *options])
    found = json.loads((build / "probe.json").read_text())["probes"] if (build / "probe.json").exists() else {}
    assert {name: probe.get("positions") for name, probe in found.items()} == kept
    assert all(probe["stages"] == ["roundtrip", "sliding"] for probe in found.values())


def test_a_stage_that_the_recipe_lacks_is_one_line(build: Path) -> None:
    result = CliRunner().invoke(golf, ["probe", str(build), "order", "--stage", "sliding+ppm_trie"])
    assert result.exit_code == 1
    expected = "Error: --stage: expected one of roundtrip, sliding, found sliding+ppm_trie"
    assert result.stderr.splitlines()[-1] == expected


def test_an_edited_script_is_one_line(build: Path) -> None:
    script = build / "train_gpt.py"
    script.write_text(script.read_text() + "pass\n")
    result = CliRunner().invoke(golf, ["probe", str(build), "repeat"])
    assert result.exit_code == 1
    assert "expected the script that bundle.json names" in result.stderr.splitlines()[-1]


def test_a_build_of_another_program_is_one_line(build: Path, readable: str) -> None:
    write_scripts(build, readable.replace("loss.backward()", "loss.backward(); pass"))
    result = CliRunner().invoke(golf, ["probe", str(build), "repeat"])
    assert result.exit_code == 1
    assert "expected a build by this state of the toolkit" in result.stderr.splitlines()[-1]
    assert not (build / "probe.json").exists()


def test_a_failure_and_a_lack_of_evidence_exit_with_one(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(scene: Scene) -> list[Any]:
        return [scene.finding("repeat", "REPRODUCIBLE", outcome, "all the same", "another")]

    monkeypatch.setitem(run.PROBES, "repeat", probe)
    for outcome in ("FAIL", "UNKNOWN"):
        result = CliRunner().invoke(golf, ["probe", str(build), "repeat"])
        assert result.exit_code == 1
        assert f"{outcome:7} REPRODUCIBLE repeat probe: expected all the same; found another" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["demo", "craft"]])
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    assert CliRunner().invoke(golf, ["probe", *arguments]).exit_code == 2
