"""Parts: what a top-level statement declares and which global names it mentions."""

import pytest

from toolkit.bundle.link.parts import make_part


@pytest.mark.parametrize(
    ("source", "declares", "references"),
    [
        ("A = [x for x in B]\n", "A", "A B"),
        ("A, (B, C) = D\n", "A B C", "A B C D"),
        ("def f(a: N = M, *b) -> O:\n    c = a\n    return [P(d) for d in c if (e := d)], e\n", "f", "f M N O P"),
        ("def f():\n    global A\n    A = 1\n", "f", "f A"),
        ("def f(a):\n    def g():\n        return a, h(B)\n    return g\n", "f", "f h B"),
        # A class body may read a global before it binds an attribute of that name.
        ("class A(B):\n    c = c\n    d = 1\n    def e(self): return d\n", "A", "A B c d"),
        ("class A:\n    b = 1\n    c = {d: b for d in E}\n", "A", "A b E"),
    ],
)
def test_names(source: str, declares: str, references: str) -> None:
    part = make_part(source, "module", "module.py", 1)
    assert part.declares == set(declares.split())
    assert part.references == set(references.split())
