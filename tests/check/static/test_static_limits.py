"""Hostile sources end in one clear finding; nothing of them is executed."""

import time
from pathlib import Path

import pytest

from toolkit.check.static.analyze import analyze
from toolkit.check.static.context.settings import Settings
from toolkit.check.static.labels.findings import StaticFinding
from toolkit.check.static.state.machine import MAX_STEPS


def only(source: str) -> StaticFinding:
    findings = analyze({"train_gpt.py": source}, "train_gpt.py")
    assert len(findings) == 1
    return findings[0]


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 5000 + "1" + ")" * 5000,
        "x = " + "+".join(["1"] * 50_000),
        "x = " + "-" * 50_000 + "1",
        "x = " + ".a" * 20_000,
        "def f(:\n",
        "x = 1\0",
        "#" * 5_000_000,
    ],
)
def test_unreadable_sources_are_unknown(source: str) -> None:
    finding = only(source)
    assert (finding.rule, finding.status) == ("STATIC-ANALYSIS", "UNKNOWN")
    assert finding.message.startswith("analysis stopped: ")
    assert "\n" not in finding.message


def test_exponential_calls_stop_at_a_number_of_steps() -> None:
    source = "import torch\n" + "".join(
        f"def f{i}(x):\n    a = f{i + 1}(x + torch.rand({i}))\n    return f{i + 1}([a, {i}]) if x else f{i + 1}((a,))\n"
        for i in range(38)
    )
    source += "def f38(x):\n    print(x)\n    return x\nf0(1)\n"
    findings = analyze({"train_gpt.py": source}, "train_gpt.py")
    assert [f.message for f in findings] == [f"analysis stopped: more than {MAX_STEPS:,} steps"]


def test_endless_loops_and_recursion_end() -> None:
    source = "def f(x):\n    while True:\n        x = f(x)\n    return x\nwhile True:\n    f(1)\n"
    assert analyze({"train_gpt.py": source}, "train_gpt.py") == []


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9 ** 9",
        "1 << 10 ** 9",
        "'a' * 10 ** 12",
        "[0] * 10 ** 12",
        "'%1000000000d' % 1",
        "range(10 ** 18)",
        "f'{1:1000000000}'",
    ],
)
def test_giant_constants_are_not_computed(expression: str) -> None:
    start = time.process_time()
    assert analyze({"train_gpt.py": f"x = {expression}\nprint(x)\n"}, "train_gpt.py") == []
    assert time.process_time() - start < 5


def test_nothing_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    write = f"open({str(target)!r}, 'w').write('x')"
    source = f"{write}\nimport os\nos.system('touch {target}')\neval({write!r})\n"
    analyze({"train_gpt.py": source}, "train_gpt.py")
    assert not target.exists()


def test_side_files_that_cannot_be_read_are_left_out() -> None:
    assert (
        analyze({"train_gpt.py": "import helper\n", "helper.py": "def f(:"}, "train_gpt.py")[0].rule
        == "EXTERNAL-PACKAGES"
    )


def test_the_same_source_gives_the_same_findings() -> None:
    source = "import b, a, requests\nrequests.get('x')\n"
    first = analyze({"train_gpt.py": source}, "train_gpt.py", Settings())
    assert [f.rule for f in first].count("EXTERNAL-PACKAGES") == 3
    assert first == analyze({"train_gpt.py": source}, "train_gpt.py", Settings())


def test_errors_name_the_line() -> None:
    assert only("x = 1\ny = = 2\n").message == "analysis stopped: not Python: invalid syntax in line 2"


def test_lines_are_counted_behind_fields_of_several_lines() -> None:
    source = """
import requests
x = f'{", ".join(
    ["a"]
)}'
requests.get(f"{x["k"]}")
"""
    finding = next(f for f in analyze({"train_gpt.py": source}, "train_gpt.py") if f.rule == "NO-NETWORK")
    assert (finding.line, finding.evidence) == (6, 'requests.get(f"{x["k"]}")')
