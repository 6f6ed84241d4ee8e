"""Packed programs do what they did: Hypothesis's, CPython's own tests, and what others have reported."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings

from bench.cpython import files_of, says
from bench.judge import EQUAL, Judge, Program, judge_program
from bench.programs import inside, outcome
from tests.support.minifier_issues import ISSUES
from tests.support.programs.idioms import IDIOMS
from tests.support.programs.program import PRELUDE, programs
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.bundle.pack import compress

# Each is about something else: decorators and frames, references to a module of the same name, patterns of assignment,
# scopes, names of parameters, and the printing of expressions.
CPYTHON = ("test_contextlib", "test_heapq", "test_unpack_ex", "test_scope", "test_keywordonlyarg", "test_fstring")


def sections(path: Path) -> Iterator[tuple[str, str]]:
    """Programs of a file, each below a line with its title."""
    for section in re.split(r"^#%% ", path.read_text(), flags=re.MULTILINE)[1:]:
        title, _, source = section.partition("\n")
        yield f"{path.stem}: {title}", source


# What programs do to themselves and to others, by kind.
BEHAVIOURS = dict(
    section for path in sorted(Path(__file__).parents[1].glob("support/behaviours/*.txt")) for section in sections(path)
)


@pytest.fixture(autouse=True, scope="module")
def _without_search() -> Iterator[None]:
    """Bytes do not matter here, seconds do."""
    with mock.patch.object(compress, "search_filters", compress.default_filters):
        yield


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_programs_print_the_same(source: str) -> None:
    assert outcome(inside(source)) == outcome(source)


@pytest.mark.parametrize("idiom", IDIOMS)
def test_idioms_print_the_same_as_scripts(idiom: str, tmp_path: Path) -> None:
    source = PRELUDE + idiom.format(x="width", y="a", z="total", f="compute", value=3) + "\n"
    packed = pack_script(source.encode()).packed
    assert run(packed, tmp_path) == run(source.encode(), tmp_path)


@pytest.mark.parametrize(("source", "printed"), ISSUES.values(), ids=ISSUES)
def test_issues_of_python_minifier(source: str, printed: str) -> None:
    assert outcome(source) == (printed, "")
    assert outcome(inside(source)) == (printed, "")


@pytest.mark.slow
@pytest.mark.parametrize("source", BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_scripts_behave_the_same(source: str, tmp_path: Path) -> None:
    """As files, each long enough to be packed in a stub."""
    source += f'assert True, "{"padding " * 500}"\n'
    packed = pack_script(source.encode()).packed
    assert run(packed, tmp_path) == run(source.encode(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", CPYTHON)
def test_tests_of_cpython_have_the_same_outcome(name: str) -> None:
    files = files_of(sys.executable, name)
    if not files:
        pytest.skip("this Python comes without its test package")
    verdict = judge_program(Judge(sys.executable, says), name, Program(files[0]))
    assert verdict.kind == EQUAL, verdict.detail


KERNEL = """
import torch
import triton
import triton.language as tl

BLOCK_SIZE = 16

@triton.jit
def scaled_add_kernel(x_pointer, y_pointer, out_pointer, scale, num_elements, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < num_elements
    left = tl.load(x_pointer + offsets, mask=inside)
    right = tl.load(y_pointer + offsets, mask=inside)
    tl.store(out_pointer + offsets, left * scale + right, mask=inside)

def scaled_add(left, right, scale):
    out = torch.empty_like(left)
    num_blocks = triton.cdiv(left.numel(), BLOCK_SIZE)
    scaled_add_kernel[(num_blocks,)](left, right, out, scale, num_elements=left.numel(), BLOCK=BLOCK_SIZE)
    return out

print(scaled_add(torch.arange(20.0), torch.ones(20), 2.0).tolist())
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_kernels_run_from_a_packed_script(tmp_path: Path) -> None:
    packed = pack_script(KERNEL.encode()).packed
    printed = run(packed, tmp_path, TRITON_INTERPRET="1")
    assert printed == (0, f"{[2.0 * index + 1 for index in range(20)]}\n")


def run(script: bytes, folder: Path, **environment: str) -> tuple[int, str]:
    """Exit code and what is printed."""
    path = folder / "train_gpt.py"
    path.write_bytes(script)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, env=os.environ | environment)
    return done.returncode, done.stdout
