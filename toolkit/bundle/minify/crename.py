"""Short names for what a C source of ours declares for itself: variables, fields, types, macros and static functions.

A name changes everywhere at once, so scopes do not matter. A declaration is seen by the type in front of it: a basic
one, one whose name ends in `_t`, or one of the source. What is not seen to be declared keeps its name, and so do
functions and variables that the library exports. Where a compiler is installed, both sources must compile to the same
library.
"""

import itertools
import re
import string
from collections import Counter
from collections.abc import Iterator

from toolkit.bundle.minify.csource import compiled, looks_at_layout, scan
from toolkit.bundle.minify.equal import NotEqual

_WORDS = re.compile(r"\w+")
_TYPES = frozenset(_WORDS.findall("_Bool char double float int long short signed unsigned void"))
_KEYWORDS = _TYPES | frozenset(
    _WORDS.findall(
        "auto break case const continue default do else enum extern for goto if inline register restrict return sizeof"
        " static struct switch typedef union volatile while"
    )
)
_OF_HEADERS = frozenset({"I", "jn", "yn"})  # short names that a source must not take
_QUALIFIERS = ("*", "const", "restrict", "volatile")
_AFTER_NAME = ("=", ",", ";", "[", "(", ")", ":", "__attribute__")
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")


def rename_c(text: str) -> str:
    """The source under short names, the most frequent first; as it is where it looks at its own layout.

    Raises `NotEqual` if the library would change.
    """
    if looks_at_layout(text):
        return text
    tokens = scan(text)
    words = Counter(token for token, kind in tokens if kind == "word")
    declared = _declared([token for token, kind in tokens if kind not in ("blank", "include")])
    letters = (itertools.product(string.ascii_letters, repeat=length) for length in (1, 2, 3))
    candidates = map("".join, itertools.chain.from_iterable(letters))
    free = (name for name in candidates if name not in _KEYWORDS | _OF_HEADERS | (words.keys() - declared))
    names = {word: next(free) for word, _ in words.most_common() if word in declared}
    renamed = "".join(names.get(token, token) if kind == "word" else token for token, kind in tokens)
    options = ("-shared", "-fPIC", "-s")  # without the names of what is not exported
    library = compiled(text, options)
    if library is not None and compiled(renamed, options) != library:
        raise NotEqual("a C source compiles to a different library after renaming")
    return renamed


def _declared(tokens: list[str]) -> set[str]:
    """Names that the source declares for itself alone."""
    types = {*_TYPES, *(token for token in tokens if token.endswith("_t"))}
    declared: set[str] = set()
    brackets: list[bool] = []  # open ones; whether they hold the fields of a type
    start = 0  # of the statement outside of all brackets
    for i, token in enumerate(tokens):
        is_end_of_fields = token in _CLOSE and brackets.pop()
        if token in _OPEN:
            brackets.append("struct" in tokens[i - 2 : i] or "union" in tokens[i - 2 : i])
        is_tag = tokens[i - 1] in ("struct", "union") and token != "{"
        types |= {token} if is_tag else set()
        names = set()
        if token in types or is_end_of_fields:
            names = set(_declarators(tokens[i + 1 :], types))
        head = tokens[start:i]
        if not brackets and "typedef" in head:
            types |= names
        elif not brackets and "static" not in head:
            names = set()
        if is_tag and tokens[i + 1] == "{":
            names.add(token)
        if tokens[i - 2 : i] == ["#", "define"] and tokens.count(token) > 1:
            names.add(token)
        declared |= names
        if not brackets and (token == ";" or (token == "}" and not is_end_of_fields)):
            start = i + 1
    return {name for name in declared if not name.startswith("_")}


def _declarators(tokens: list[str], types: set[str]) -> Iterator[str]:
    """Names between a type and the end of its statement, parameter or list of fields."""
    depth, is_due = 0, True
    for token, after in itertools.pairwise(tokens):
        if is_due and token not in _QUALIFIERS:
            is_name = token.isidentifier() and token not in _KEYWORDS | types and after in _AFTER_NAME
            if not is_name:
                return
            yield token
            is_due = False
        depth += (token in _OPEN) - (token in _CLOSE)
        if depth < 0 or (depth == 0 and token == ";") or (token, after) == (")", "{"):
            return
        is_due = is_due or (depth == 0 and token == ",")
