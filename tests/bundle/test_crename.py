"""Short names in C sources: which names go, which must stay, and that the library is the same."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from toolkit.bundle.minify.crename import rename_c
from toolkit.bundle.minify.csource import minify_c
from toolkit.bundle.minify.equal import NotEqual
from toolkit.components.mixing.ppm_seed import SEED_SOURCE

SOURCE = """
#include <math.h>
#include <stdint.h>
#include <time.h>
#define LIMIT 20
#define SQUARE(value) ((value) * (value))
#define _UNUSED 1

typedef struct Node { struct Node *next; uint32_t weight, depth : 3; } Node;
typedef float Lanes __attribute__((vector_size(16)));
static struct { int first, last; } span = {.first = 1, .last = 2};
static double table[LIMIT], *cursor = table;
int visible = 3;

static int64_t helper(const Node *node, int64_t offset) { return node->weight + offset + SQUARE(node->depth); }

double exported(int count, const double *values) {
    struct timespec now = {0, 0};
    Lanes lanes = {1, 2, 3, 4}, more = lanes + lanes;
    Node node = {0, 2, 1}, *pointer = &node;
    double total = fmax(0, now.tv_sec) + more[2], scale = (double)count * visible;
    for (int index = 0, other = LIMIT; index < count; index++) total += values[index] * other;
    *cursor = total;
    return table[0] * scale + helper(pointer, span.last);
}
"""
GONE = {
    *("LIMIT", "SQUARE", "Node", "next", "weight", "depth", "Lanes", "span", "first", "last", "table", "cursor"),
    *("helper", "node", "offset", "count", "values", "lanes", "more", "pointer", "total", "scale", "index", "other"),
    "now",
}
KEPT = {"math", "time", "value", "_UNUSED", "visible", "exported", "timespec", "tv_sec", "fmax", "int64_t"}


def words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def test_names_that_go_and_stay() -> None:
    renamed = rename_c(SOURCE)
    assert words(renamed).isdisjoint(GONE)
    assert words(renamed) >= KEPT
    assert renamed == rename_c(SOURCE)
    assert max(map(len, words(renamed) - words(SOURCE))) == 1


@pytest.mark.parametrize("source", [SOURCE, SEED_SOURCE])
def test_the_library_is_the_same(source: str, tmp_path: Path) -> None:
    libraries = []
    for i, text in enumerate((source, minify_c(rename_c(source)))):
        path = tmp_path / f"{i}.so"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-s", "-x", "c", "-", "-o", path], input=text.encode(), check=True
        )
        libraries.append(path.read_bytes())
    assert libraries[0] == libraries[1]


def test_a_renamed_function_computes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    source = rename_c(SOURCE).encode()
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-lm", "-o", path], input=source, check=True)
    exported = ctypes.CDLL(str(path)).exported
    exported.restype = ctypes.c_double
    assert exported(2, (ctypes.c_double * 2)(1, 2)) == (6 + 3 * 20) * 6 + 5


@pytest.mark.parametrize(
    "text",
    [
        "int f(FILE *file, int n) { return 0; }",
        "int f(int n, FILE *file) { return 0; }",
        "extern int outside; int used(void);",
        "#define S(x) #x\nstatic int n;",
    ],
)
def test_what_is_not_known_to_be_ours_stays(text: str) -> None:
    assert words(text) - words(rename_c(text)) <= {"n"}
    assert "FILE" not in words(text) or "file" in words(rename_c(text))


def test_a_change_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.bundle.minify import crename

    monkeypatch.setattr(crename, "_declared", lambda tokens: {"exported"})
    with pytest.raises(NotEqual, match="library"):
        rename_c(SOURCE)
