"""C at run time: a component's source, made into a library by the compiler of the machine that runs."""

import ctypes
import os
import shlex
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from toolkit.components.failure import InputError


@cache
def compile_native(source: str) -> ctypes.CDLL:
    """C11 source with GNU extensions as a library, compiled once in a process; its calls run without Python's lock.

    The compiler is `cc`, or the command in the environment's CC. It may not reorder or fuse floating-point
    operations, so vector units change no result. `InputError` where it is missing or fails.
    """
    compiler = os.environ.get("CC", "cc")
    flags = "-std=gnu11 -O3 -ffp-contract=off -fPIC -shared -pthread -x c - -lm -o"
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder, "native.so"))
            for machine in ("-march=native", ""):  # not every compiler knows every machine
                done = subprocess.run(
                    [*shlex.split(f"{compiler} {machine} {flags}"), target],
                    input=source,
                    env={**os.environ, "LC_ALL": "C"},
                    capture_output=True,
                    text=True,
                )
                if done.returncode == 0:
                    return ctypes.CDLL(target)
        errors = (line for line in done.stderr.splitlines() if "error" in line)
        found = next(errors, f"exit code {done.returncode}")
    except (OSError, ValueError) as error:
        found = str(error)
    raise InputError(f"C compiler {compiler!r}: expected a library, found: {found}; install one, or name it in CC")
