"""What large and odd scripts cost `golf pack`: CPU seconds, and whether each is packed, in which form, or refused.

Each input is packed in a process of its own, without results kept from before.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_FUNCTION = (
    "def scale_{0}(value, learning_rate=0.1, *, momentum=0.9):\n"
    "    result = value * learning_rate + momentum\n"
    "    return [result for _ in range({0})]\n"
)
_CODE = """
import sys
from pathlib import Path
from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.errors import GolfError
try:
    result = pack_script(Path(sys.argv[1]).read_bytes())
    print(f"{result.form}, {len(result.packed):,} bytes")
except GolfError as error:
    print(f"refused: {error}"[:150])
"""


def inputs() -> Iterator[tuple[str, str]]:
    """Names and sources; all but the last few run under CPython."""
    for number in (5_000, 10_000):
        calls = "".join(f"print(scale_{i}({i}))\n" for i in range(number))
        yield f"{number:,} functions", "".join(map(_FUNCTION.format, range(number))) + calls
    names = [f"global_name_{i}" for i in range(20_000)]
    yield "20,000 global names", "".join(f"{name} = len('{name}')\n" for name in names) + f"print({', '.join(names)})\n"
    yield "100,000 lines", "".join(f"value_{i % 100} = {i}\n" for i in range(100_000))
    lines = "".join(f"    local_name_{i % 1000} = value + {i}\n" for i in range(20_000))
    yield "20,000 lines in a function", f"def work(value):\n{lines}    return value\nprint(work(1))\n"
    calls = "".join(f"print(scale_1({i}, momentum={i}))\n" for i in range(10_000))
    yield "10,000 calls with keywords", _FUNCTION.format(1) + calls
    yield "a text of 1 MB", f"print(len({'abcdefghij' * 100_000!r}))\n"
    yield "a line of 1 MB", "values = [" + "1234567, " * 110_000 + "]\n"
    yield "a dictionary of 20,000 entries", "table = {" + "".join(f"'key_{i}': {i}, " for i in range(20_000)) + "}\n"
    yield "a sum of 2,000 terms", "total = " + " + ".join(map(str, range(2_000))) + "\n"
    yield (
        "2,000 branches of one if",
        "x = 1\nif x == 0: pass\n" + "".join(f"elif x == {i}: y = {i}\n" for i in range(2_000)),
    )
    yield "150 nested brackets", "x = " + "[" * 150 + "]" * 150 + "\n"
    yield "a number of 5,000 digits", f"x = 0x{'f' * 5_000}\nprint(x % 7)\n"
    yield "1,000 nested brackets", "x = " + "[" * 1_000 + "]" * 1_000 + "\n"


def main() -> None:
    print(f"{'input':34}{'bytes':>12}{'CPU s':>8}")
    for name, source in inputs():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "script.py"
            path.write_text(source)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            command = [sys.executable, "-c", _CODE, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        outcome = (done.stdout or f"traceback: {done.stderr}").strip().splitlines()[-1]
        print(f"{name:34}{len(source):>12,}{seconds:>8.1f}  {outcome}", flush=True)
