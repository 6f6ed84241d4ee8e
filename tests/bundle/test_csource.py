"""C sources inside scripts: what goes, what must stay, and which strings are none of our business."""

import ast
import shutil

import pytest

from toolkit.bundle.foreign.pack_script import pack_script
from toolkit.bundle.minify.csource import compiled, minify_c, minify_c_sources, prove_same_c
from toolkit.bundle.minify.equal import NotEqual
from toolkit.unpack.unpack import unpack

SOURCE = """
#include <math.h>
// a comment
#define SCALE(x)   ((x) * 2.0e-3)  /* here too */
#if defined(FAST)
#pragma GCC ivdep
#endif

extern "C" double  total(const double * values, int n) {
    /* adds
       up */
    double sum = 0. + 1e-5 - -1;
    const char *text = "// no  comment /* in here */";
    char quote = '"', other = '\\'';
    for (int i = 0; i < n; i ++) { sum += SCALE( values[ i ] ); }
    return sum + text[0] - quote + other;   // end
}
"""


def test_comments_and_blanks_go() -> None:
    text = minify_c(SOURCE)
    assert len(text) < 0.8 * len(SOURCE)
    assert text.startswith("#include <math.h>\n#define SCALE(x) ((x) * 2.0e-3)\n#if defined(FAST)\n#pragma GCC ivdep\n")
    assert '"// no  comment /* in here */"' in text
    assert "1e-5- -1;" in text
    assert "a comment" not in text
    assert "up */" not in text
    assert minify_c(text) == text
    prove_same_c(SOURCE, text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a + b - 1 ;", "a+b-1;"),
        ("a + + b - - c & & d", "a+ +b- -c& &d"),
        ("a / * b / / c", "a/ *b/ /c"),
        ('x = L "a" "b" c ;', 'x=L "a""b" c;'),
        ("1 . e + 2", "1 .e+2"),
        ("1e + 2", "1e +2"),
        ("vector < vector < int > > < :: a >", "vector<vector<int> >< ::a>"),
        ("return - 1 ; else ( x )", "return-1;else(x)"),
    ],
)
def test_blanks_stay_where_tokens_would_grow_together(before: str, after: str) -> None:
    assert minify_c(before) == after
    prove_same_c(before, after)


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("cc")), reason="no C compiler is installed")
def test_compiles_to_the_same_object() -> None:
    assert compiled(SOURCE) is not None
    assert compiled(minify_c(SOURCE)) == compiled(SOURCE)
    assert compiled("#include <no_such_header.h>\n") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int a; int b;", "int a;"),
        ("#define A 1\nint b;", "#define A 1 int b;"),
        ("a b", "ab"),
        ("a+ +b", "a++b"),
        ("a / *b; /* c */", "a/*b;/* c */"),
        ('L "a"', 'L"a"'),
        ('"a" b', '"a"b'),
        ("a<b ::c", "a<b::c d"),
        ("#define F (x)\n", "#define F(x)\n"),
        ("'a'", "'b'"),
    ],
)
def test_other_tokens_are_noticed(before: str, after: str) -> None:
    with pytest.raises(NotEqual, match="tokens"):
        prove_same_c(before, after)


@pytest.mark.parametrize(
    "text",
    [
        "#include <a>\nint  x = __LINE__;",
        "#include <a>\n#define S(x)  #x\n",
        "#include <a>\n#define S(x) \\\n  x\n",
        'R"(// no   comment)"',
        "a = b  ??/ c",
    ],
)
def test_what_looks_at_its_own_layout_stays(text: str) -> None:
    assert minify_c(text) == text


@pytest.mark.parametrize(
    ("program", "is_minified"),
    [
        ("load_inline(cpp_sources=SOURCE)", True),
        ("load_inline(sources=[SOURCE])", True),
        ("text = SOURCE\nbuild(text)\nbuild(again=[text])", True),
        ("text = SOURCE\nbuild(text.replace('a', 'b'))", False),
        ("text = SOURCE\nbuild(text % 1)", False),
        ("text = SOURCE\ntext += other\nbuild(text)", False),
        ("build(SOURCE + other)", False),
        ("x = SOURCE == other", False),
        ("f('// no C   at all')", False),
    ],
)
def test_which_strings(program: str, is_minified: bool) -> None:
    tree = ast.parse(program.replace("SOURCE", repr("#include <math.h>\n// a\nint f ( ) ;\n")))
    assert (minify_c_sources(tree) > 0) is is_minified


@pytest.mark.parametrize(
    ("program", "is_minified"),
    [
        ("from torch.utils.cpp_extension import load_inline\nload_inline('a', cpp_sources=[SOURCE])", True),
        ("cupy.RawKernel(SOURCE, 'f')", True),
        ("open('a.c', 'w').write(SOURCE)", False),
        ("print(SOURCE)", False),
        ("load_inline('a', f(SOURCE))", False),
        ("load_inline('a', SOURCE)\nprint(SOURCE)", False),
        ("def load_inline(a): print(a)\nload_inline(SOURCE)", False),
        ("class A:\n    def RawKernel(self, a): print(a)\nA().RawKernel(SOURCE)", False),
    ],
)
def test_which_strings_of_a_program_that_is_not_ours(program: str, is_minified: bool) -> None:
    tree = ast.parse(f"SOURCE = {SOURCE!r}\n{program}")
    assert (minify_c_sources(tree, is_ours=False) > 0) is is_minified


def test_packed_scripts_hold_minified_sources() -> None:
    script = f"from torch.utils.cpp_extension import load_inline\nload_inline(name='a', cpp_sources={SOURCE!r})\n"
    source = unpack(pack_script(script.encode()).packed).source
    (text,) = [
        n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant) and "#include" in str(n.value)
    ]
    assert text == minify_c(SOURCE)
