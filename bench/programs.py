"""Programs written by Hypothesis, packed and unpacked: `python -m bench programs N` says how many differ.

The tests run a few hundred of them; here any number, until the first that differs, which is shrunk and printed.
"""

import contextlib
import io
import re
import time
import warnings

from hypothesis import HealthCheck, given, settings

from tests.support.programs.program import programs
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.unpack.unpack import unpack

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def outcome(source: str) -> tuple[str, str]:
    """What a program prints, without addresses, and the type of the exception that ends it. It runs in this process."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "program.py", "exec"), {"__name__": "__main__"})
    except Exception as error:
        return _ADDRESS.sub("", printed.getvalue()), type(error).__name__
    return _ADDRESS.sub("", printed.getvalue()), ""


def inside(source: str) -> str:
    """The program inside of a packed one."""
    return unpack(pack_script(source.encode()).packed).source


def main(number: str) -> None:
    examples = ended = 0
    started = time.perf_counter()

    @settings(max_examples=int(number), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(programs())
    def judge(source: str) -> None:
        nonlocal examples, ended
        examples += 1
        expected = outcome(source)
        ended += not expected[1]
        assert outcome(inside(source)) == expected

    try:
        judge()
    finally:
        print(f"{examples} programs, {ended} ran to their end, {time.perf_counter() - started:.0f} s")
    print("none differs")
