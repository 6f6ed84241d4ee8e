"""The shortest text of a program: what every Python prints, and that Python 3.11 reads it."""

import sys

import pytest

from toolkit.bundle.minify.printer import reads_before_3_12, shortest_text
from toolkit.syntax.parse import parse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("""x = f'{a["b"]}' """, """x=f"{a['b']}" """),
        ("""x = f"{', '.join(a)}: {f'{b!r:>{c}}'}" """, """x=f"{', '.join(a)}: {f'{b!r:>{c}}'}" """),
        ("""x = f"{'\\t'.join(a)}\\t" """, """x=f"{'\t'.join(a)}\\t" """),
        ("""x = f"{a["it's"]}" """, '''x=f"""{a["it's"]}""" '''),
        ("if a:\n    b = '''\n\tc'''", "if a:b='\\n\\tc'"),
        ("if a:\n    while b: c(); d()", "if a:\n while b:c();d()"),
    ],
)
def test_text(source: str, expected: str) -> None:
    assert shortest_text(parse(source.strip())) == expected.strip()


@pytest.mark.parametrize("source", ["""x = f"{'\\n'.join(a)}" """, """x = f"{a[b'\\0']}" """])
def test_what_only_a_newer_python_can_read(source: str) -> None:
    with pytest.raises(ValueError, match="f-string"):
        shortest_text(parse(source.strip()))


@pytest.mark.parametrize(
    ("code", "is_older"),
    [
        ("""f"{a['b']:>{w['c']}}\\n" """, True),
        ('''f"""{a["b"]}\n{\nc}""" ''', True),
        ("""[f"{a}", "\\n"]""", True),
        ("""f"{a["b"]}" """, False),
        ("""f"{a:>{w["c"]}}" """, False),
        ("""f"{'\\n'}" """, False),
        ("""f"{f'{'b'}'}" """, False),
        ('''f"{a["""b"""]}" ''', False),
        ("""f"{a[\n0]}" """, False),
    ],
)
@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python reads no newer f-strings")
def test_what_python_3_11_reads(code: str, is_older: bool) -> None:
    assert reads_before_3_12(code.strip()) is is_older
