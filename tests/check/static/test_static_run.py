"""The abstract run: folding, reachability, calls, labels, settings."""

import pytest

from toolkit.check.static.analyze import trace_run
from toolkit.check.static.context.settings import (
    Settings,
    command_settings,
    log_settings,
    read_settings,
    wrapper_settings,
)
from toolkit.check.static.decisions.reported import reported_sums
from toolkit.check.static.labels.events import NETWORK, REPORT


def reached(source: str, settings: Settings | None = None, others: dict[str, str] | None = None) -> bool:
    """Does the abstract run come to `requests.get`?"""
    trace, _, _ = trace_run({"a.py": "import requests, os\n" + source} | (others or {}), "a.py", settings or Settings())
    assert trace.stopped == ""
    return bool(trace.of(NETWORK))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if 0: requests.get('')", False),
        ("if int('3') > 2 and 'a' in ('a', 'b'): requests.get('')", True),
        ("if os.path.exists('x'): requests.get('')", True),
        ("def f(on=False):\n    if on:\n        requests.get('')\nf()", False),
        ("def f(on=False):\n    if on:\n        requests.get('')\nf(on=True)", True),
        ("def f(on):\n    if not on:\n        return\n    requests.get('')\nf(False)", False),
        ("class A:\n    on = bool(int(os.environ.get('ON', '0')))\nif A().on: requests.get('')", False),
        (
            "import dataclasses as d\n@d.dataclass\nclass A:\n    on: bool = True\nif A(on=False).on: requests.get('')",
            False,
        ),
        ("class A:\n    def __init__(self): self.go = requests.get\n    def run(self): self.go('')\nA().run()", True),
        ("from functools import partial\npartial(requests.get, '')()", True),
        ("import torch\ntorch.compile(lambda: requests.get(''))()", True),
        ("for step in range(9):\n    if step > 0: requests.get('')", True),
        ("for step in range(0):\n    requests.get('')", False),
        ("last = None\nfor x in open('f'):\n    if last is not None: requests.get('')\n    last = x", True),
        ("def unused(): requests.get('')", False),
        ("table = {'a': requests.get}\ntable['a']('')", True),
        ("if __name__ == '__main__': requests.get('')", True),
        ("if getattr(None, 'on', False): pass\nif False or None: requests.get('')", False),
        ("def g():\n    yield requests.get('')\nlist(g())", True),
        ("try:\n    x = 1\nexcept ValueError:\n    requests.get('')", True),
        ("if len([1]) == 0: raise ValueError\nrequests.get('')", True),
    ],
)
def test_reachability(source: str, expected: bool) -> None:
    assert reached(source) is expected


def test_settings_override_the_code_in_order() -> None:
    source = "class H:\n    on = bool(int(os.environ.get('ON', '0')))\nif H().on: requests.get('')"
    assert not reached(source)
    assert reached(source, Settings(wrapper={"ON": "1"}))
    assert not reached(source, Settings(wrapper={"ON": "1"}, command={"ON": "0"}))
    assert reached(source, Settings(command={"ON": "0"}, log={"on": "True"}))


def test_a_printed_line_tells_which_branch_ran() -> None:
    source = """
on = int(os.environ.get("ON", "0"))
if on:
    print(f"cache on, order {on}")
    requests.get("")
else:
    print("cache is off")
"""
    assert not reached(source)
    assert reached(source, Settings(printed="1711111111.000 cache on, order 7\n"))
    assert not reached(source, Settings(printed='    print(f"cache on, order {on}")\ncache is off\n'))
    elsewhere = source + "else_line = print(f'cache on, order {3}')\n"
    assert not reached(elsewhere, Settings(printed="cache on, order 3\n"))


def test_a_printed_field_tells_how_its_condition_came_out() -> None:
    source = """
on = int(os.environ.get("ON", "0"))
print(f"eval stride={64}{f' cache_order={on}' if on else ''} windows={9}")
if on: requests.get("")
"""
    assert not reached(source)
    assert reached(source, Settings(command={"ON": "0"}, printed="eval stride=64 cache_order=7 windows=9\n"))
    assert not reached(source, Settings(printed="eval stride=64 windows=9\n"))
    assert not reached(source, Settings(printed="stride=64 cache_order=7\n"))


def test_a_printed_field_is_a_setting() -> None:
    source = """
class H:
    order = int(os.environ.get("ORDER", "0"))
args = H()
print(f"cache of order={args.order} buckets={8:d}")
for n in range(args.order): requests.get("")
"""
    assert not reached(source)
    assert reached(source, Settings(printed="cache of order=7 buckets=8\n"))
    assert not reached(source, Settings(printed="cache of order=7 buckets=8\ncache of order=9 buckets=8\n"))


def test_a_counter_of_an_object_grows_in_a_loop() -> None:
    source = """
class Cache:
    def __init__(self): self.seen = 0
    def update(self, n): self.seen += n
    def ready(self): return self.seen > 100
cache = Cache()
for line in open("f"):
    if {}: requests.get("")
    {}
"""
    assert reached(source.format("cache.seen > 100", "cache.update(len(line))"))
    assert reached(source.format("cache.ready()", "cache.update(len(line))"))
    assert not reached(source.format("cache.seen > 100", "pass"))


def test_the_code_sets_its_own_environment() -> None:
    source = "if os.environ.get('ON', '0') == '1': requests.get('')"
    assert reached("os.environ['ON'] = '1'\n" + source)
    assert reached("os.environ.setdefault('ON', '1')\n" + source)
    assert not reached("os.environ.setdefault('ON', '1')\n" + source, Settings(command={"ON": "0"}))


def test_side_files_are_followed() -> None:
    assert reached("import helper\nhelper.go()", others={"helper.py": "import requests\ndef go(): requests.get('')"})
    assert not reached("import helper", others={"helper.py": "import requests\ndef go(): requests.get('')"})


def test_a_figure_is_tied_to_the_sum_it_is_made_of() -> None:
    source = """
import numpy as np
def total(tokens):
    a = b = 0.0
    for t in range(3):
        nll = cross_entropy(tokens[:-1], tokens[1:])
        a += nll.sum()
        b += nll.sum()
    return a, b
first, second = total(np.fromfile("fineweb_val_0.bin"))
print(f"val_bpb: {second}")
"""
    trace, _, _ = trace_run({"a.py": source}, "a.py", Settings())
    assert [e.line for e in trace.of(REPORT)] == [11]
    assert {line for _, line in reported_sums(trace)} == {8}


def test_commands_of_a_readme() -> None:
    text = "Defaults: A_B=9\nexport SEED=1\nX_Y=1 \\\n  NAME='a b' torchrun --nproc_per_node=8 train_gpt.py\n"
    text += "`OTHER=$HOME torchrun x.py`"
    assert command_settings(text) == {"SEED": "1", "X_Y": "1", "NAME": "a b"}


def test_the_first_launch_of_a_readme_is_the_submission() -> None:
    text = "CACHE=7 torchrun train_gpt.py\n\nAblation:\n\nCACHE=0 EXTRA=1 torchrun train_gpt.py\n"
    assert command_settings(text) == {"CACHE": "7"}


def test_settings_of_a_log_and_a_wrapper() -> None:
    assert log_settings("x\nHyperparameters:\n  ttt_lr: 0.1\n  on: True\nend\n  late: 1") == {
        "ttt_lr": "0.1",
        "on": "True",
    }
    assert wrapper_settings("os.environ.setdefault('AB', '1'); os.environ['CD'] = '2'") == {"AB": "1", "CD": "2"}


def test_logs_that_disagree_leave_a_setting_to_the_lower_levels() -> None:
    logs = ("Hyperparameters:\n  a: 1\n  b: 2\n", "Hyperparameters:\n  a: 1\n  b: 3\n")
    assert read_settings(logs=logs).log == {"a": "1"}
