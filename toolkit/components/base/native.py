"""C at run time: a component's source, made into a library by the compiler of the machine that runs."""

import ctypes
import mmap
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.components.base.failure import InputError


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


def call(function: Any, *arguments: Any) -> None:
    """Call a C function whose arguments are all 64 bits wide: integers and addresses of arrays."""
    function(*map(ctypes.c_int64, addresses(arguments).tolist()))


def addresses(values: Iterable[Any]) -> np.ndarray:
    """Integers, and where arrays begin, as int64: a C struct. It does not keep the arrays."""
    return np.array([value.ctypes.data if isinstance(value, np.ndarray) else value for value in values], np.int64)


def zeros(size: int) -> np.ndarray:
    """Bytes in pages of their own, large ones where the system has them; pages never written take no memory."""
    pages = mmap.mmap(-1, size)
    pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)
