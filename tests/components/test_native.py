"""C at run time: a library that works, errors of one line, nothing left behind, and a lock that is free meanwhile."""

import ctypes
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.components.base.failure import InputError
from toolkit.components.base.native import compile_native

ADD = "#include <math.h>\nint add(int a, int b) { return (int)fma(a, 1, b); }"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary folders go here, and nothing that was compiled is remembered."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    compile_native.cache_clear()
    yield tmp_path
    compile_native.cache_clear()


def test_a_function_is_compiled_and_called(folders: Path) -> None:
    assert compile_native(ADD).add(2, 3) == 5
    assert not list(folders.iterdir())
    assert compile_native(ADD) is compile_native(ADD)


def fake_compiler(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder.with_name("fake-cc")
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    monkeypatch.setenv("CC", f"{path} -Dcc=1")


def test_a_compiler_that_does_not_know_the_machine(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = 'for word; do if [ "$word" = -march=native ]; then echo "error: bad value" >&2; exit 1; fi; done\n'
    fake_compiler(folders, monkeypatch, refuse + 'exec cc "$@"\n')
    assert compile_native(ADD + "\nint defined(void) { return cc; }").defined() == 1


@pytest.mark.parametrize(
    ("source", "compiler", "found"),
    [
        (ADD, "no-such-compiler", r"No such file or directory: 'no-such-compiler'"),
        (ADD + "\nint x = y;", "cc", r"<stdin>:3:9: error: 'y' undeclared[^\n]*"),
        (ADD, "false", r"exit code 1"),
        (ADD, "cc '", r"No closing quotation"),
        (ADD, "true", r"[^\n]*cannot open shared object file[^\n]*"),
    ],
)
def test_what_cannot_be_compiled_is_one_line(
    folders: Path, monkeypatch: pytest.MonkeyPatch, source: str, compiler: str, found: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(InputError, match=rf"^C compiler .{compiler}.: expected a library, found: [^\n]*{found}; .+$"):
        compile_native(source)
    assert not list(folders.iterdir())


def test_other_threads_run_during_a_call() -> None:
    """The call waits for a flag that only another Python thread sets."""
    library = compile_native(
        "#include <time.h>\n"
        "int wait_for(volatile int *flag) {\n"
        "    struct timespec pause = {0, 1000000};\n"
        "    for (int i = 0; i < 30000 && !*flag; i++) nanosleep(&pause, 0);\n"
        "    return *flag;\n"
        "}\n"
    )
    flag = ctypes.c_int(0)
    timer = threading.Timer(0.01, lambda: setattr(flag, "value", 7))
    timer.start()
    assert library.wait_for(ctypes.byref(flag)) == 7
    timer.join()
