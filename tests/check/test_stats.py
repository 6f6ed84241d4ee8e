"""golf stats: rules, units, and the number of seeds that a gain needs."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.support.folders import Folder
from toolkit.check.statistics.compare import tokenizer_ratio
from toolkit.check.statistics.power import power, seeds_needed
from toolkit.cli.stats import command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_logs_against_a_number(leaderboard: Folder) -> None:
    content = json.loads(run(str(leaderboard.path), "--against", "1.75", "--json").output)
    assert content["new"]["n"] == 3
    assert content["bytes_per_token"] == pytest.approx(2.436, abs=1e-6)
    gain_bpb = 1.75 - content["new"]["mean_val_bpb"]
    assert content["gain_bpb"] == pytest.approx(gain_bpb)
    assert content["gain_nats"] == pytest.approx(gain_bpb * math.log(2) * 2.436, rel=1e-5)
    assert (content["meets_readme"], content["meets_frontier"]) == (True, True)
    assert content["tests"]["readme"]["test"] == "one-sample"


def test_the_same_seeds_are_paired(leaderboard: Folder) -> None:
    content = json.loads(run(str(leaderboard.path), "--against", str(leaderboard.path), "--json").output)
    assert content["tests"]["frontier"]["test"] == "paired"
    assert (content["gain_nats"], content["meets_frontier"]) == (0.0, False)


def test_several_sources_are_one_sample() -> None:
    arguments = ("1.0605", "1.0607,1.0606", "--against", "1.0611,1.0613", "--tokenizer", "sp8192", "--json")
    content = json.loads(run(*arguments).output)
    assert (content["new"]["n"], content["old"]["n"], content["tests"]["readme"]["test"]) == (3, 2, "Welch")
    assert content["new"]["std_val_bpb"] == pytest.approx(0.0001)  # n - 1
    assert not content["meets_readme"]
    assert content["meets_frontier"]


def test_five_millinats_in_bits_per_byte() -> None:
    """What the README's bar is for each tokenizer."""
    for name, bpb in (("sp1024", 0.0030), ("sp4096", 0.0022), ("sp8192", 0.0019), ("sp8192 CaseOps", 0.0023)):
        assert 0.005 / math.log(2) / tokenizer_ratio(name) == pytest.approx(bpb, abs=5e-5)


@pytest.mark.parametrize("old_seeds", [1, 3])
def test_power_is_the_share_of_tests_that_succeed(old_seeds: int) -> None:
    from scipy import stats

    draw = np.random.default_rng(0)
    new = draw.normal(1.0 - 0.007, 0.001, (20_000, 4))
    old = draw.normal(1.0, 0.001, (20_000, old_seeds)) if old_seeds > 1 else np.ones((20_000, 1))
    if old_seeds > 1:
        p_values = stats.ttest_ind(old - 0.005, new, axis=1, alternative="greater").pvalue
    else:
        p_values = stats.ttest_1samp(new, 0.995, axis=1, alternative="less").pvalue
    expected = power(0.007, 0.001, 4, old_seeds, 0.005, 0.01)
    assert np.mean(p_values < 0.01) == pytest.approx(expected, abs=0.015)


def test_seeds_needed_is_the_fewest() -> None:
    seeds = seeds_needed(0.007, 0.001, 1, 0.005, 0.01, 0.8)
    assert seeds is not None
    assert power(0.007, 0.001, seeds, 1, 0.005, 0.01) >= 0.8 > power(0.007, 0.001, seeds - 1, 1, 0.005, 0.01)
    assert seeds_needed(0.004, 0.001, 1, 0.005, 0.01, 0.8) is None
    assert seeds_needed(0.007, 0.0, 1, 0.005, 0.01, 0.8) == 2


def test_how_many_seeds_a_gain_needs(leaderboard: Folder) -> None:
    result = run("--seeds-needed", "--gain", "0.007", "--deviation", "0.001")
    assert result.output.splitlines()[1] == "README: 6 seeds, 6 more"
    content = json.loads(run(str(leaderboard.path), "--against", "1.75", "--seeds-needed", "--json").output)
    assert {bar["bar"]: bar["more"] for bar in content["seeds_needed"]["bars"]} == {"README": 0, "frontier": 0}
    assert "out of reach" in run(str(leaderboard.path), "--against", "1.7182", "--seeds-needed").output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("1.0",), 2),
        (("--seeds-needed",), 2),
        (("1.0", "--against", "1.1", "--seeds-needed", "--tokenizer", "sp1024"), 2),
        (("1.0", "--against", "1.1"), 1),
        (("1.0", "--against", "1.1", "--tokenizer", "none"), 1),
        (("nowhere", "--against", "1.1"), 1),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], code: int) -> None:
    from toolkit.cli.main import golf

    result = CliRunner().invoke(golf, ["stats", *arguments])
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_one_seed_cannot_be_tested() -> None:
    assert "cannot tell" in run("1.0", "--against", "1.1", "--tokenizer", "sp1024").output
