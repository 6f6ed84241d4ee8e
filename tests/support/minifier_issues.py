"""Programs in the spirit of what users of python-minifier have reported: https://github.com/dflook/python-minifier/issues.

Each is written anew, with what it prints.
"""

ISSUES = {
    "10: star and double star keep apart": (
        """
class Base:
    def __init__(self, first, *others, **settings):
        print(first, others, sorted(settings.items()))
class Derived(Base):
    def __init__(self, first, *others, **settings):
        separator = "."
        super(Derived, self).__init__(first, *others, **settings)
        separator or print("never")
Derived(1, 2, 3, width=4)
""",
        "1 (2, 3) [('width', 4)]\n",
    ),
    "12: fields of a named tuple keep their types": (
        """
from typing import NamedTuple
class Answer(NamedTuple):
    status: int
    text: "str"
    retries: int = 3
print(Answer(200, "ok"), sorted(Answer.__annotations__), Answer._fields)
""",
        "Answer(status=200, text='ok', retries=3) ['retries', 'status', 'text'] ('status', 'text', 'retries')\n",
    ),
    "22: names that evaluated text may ask for": (
        """
def judge_all(expressions):
    threshold = 3
    verdicts = []
    for expression in expressions:
        verdicts.append(eval(expression))
    return verdicts
offset = 10
print(judge_all(["threshold + offset", "len(verdicts)", "expression"]))
""",
        "[13, 1, 'expression']\n",
    ),
    "45: annotations that a metaclass reads": (
        """
class FieldsOf(type):
    def __new__(meta, name, bases, namespace):
        made = super().__new__(meta, name, bases, namespace)
        made.fields = {**getattr(made, "fields", {}), **namespace.get("__annotations__", {})}
        return made
class Model(metaclass=FieldsOf):
    def __init__(self, **given):
        for field, kind in self.fields.items():
            setattr(self, field, kind(given.get(field, 0)))
class User(Model):
    identity: int
    name: str
user = User(identity="7", name="x")
print(user.identity + 1, user.name, list(User.fields))
""",
        "8 x ['identity', 'name']\n",
    ),
    "54: types of a class whose base's base needs them": (
        """
from typing import Optional, TypedDict, get_type_hints
class First(TypedDict):
    title: str
class Second(First):
    pages: Optional[int]
class Third(Second, total=False):
    author: "str"
print(Third(title="a", pages=None), sorted(Third.__required_keys__), sorted(get_type_hints(Third)))
""",
        "{'title': 'a', 'pages': None} ['pages', 'title'] ['author', 'pages', 'title']\n",
    ),
    "70: a comprehension that loops over what it shadows": (
        """
class Parent:
    def __init__(self, *children):
        self.children = children
def ages(parent):
    return [parent.age for parent in parent.children], {
        child for child in parent.children if (lambda parent: parent)(0)
    }
class Child:
    def __init__(self, age):
        self.age = age
print(ages(Parent(Child(1), Child(2))))
item = [[1, 2], [3]]
print([item for item in item for item in item], item)
""",
        "([1, 2], set())\n[1, 2, 3] [[1, 2], [3]]\n",
    ),
    "95: a bare annotation makes a local": (
        """
message = "global"
def with_annotation():
    message: str
    try:
        return message
    except UnboundLocalError:
        return "unbound"
def without():
    return message
print(with_annotation(), without())
""",
        "unbound global\n",
    ),
    "96: annotations under a constant condition": (
        """
class Ruleset:
    if True:
        def write(self, target: str = "file") -> str:
            return "update " + target
    else:
        def write(self) -> str:
            return "never"
if True:
    def ruleset(value: str) -> None:
        if 1:
            def write() -> str:
                return value
        return write()
print(Ruleset().write(target="disk"), ruleset(value="x"))
""",
        "update disk x\n",
    ),
    "101: a class body reads what it also binds": (
        """
limit = 1
def build():
    limit = 2
    class Inner:
        before = limit
        def read(self):
            return limit
    class Rebinding:
        limit = limit
    return Inner.before, Inner().read(), Rebinding.limit
print(build())
""",
        "(2, 2, 1)\n",
    ),
    "107: quotes inside a field": (
        """
class Text:
    BOLD = "\\033[1m"
    END = '\\x1b[0m'
    def show(self, message, style=END, bold=False):
        return f'{self.BOLD if bold else ""}{style}{message!r:>{len("width") + 3}}{self.END}'
print(ascii(Text().show("it's", bold=True)), ascii(Text().show(message='"', style="")))
""",
        "'\\x1b[1m\\x1b[0m  \"it\\'s\"\\x1b[0m' '     \\'\"\\'\\x1b[0m'\n",
    ),
    "119: a walrus in a comprehension binds outside": (
        """
def shift(argument, /):
    odd = [half for index in range(10) if (half := index // 2) & 1]
    return odd, argument, half
class Holder:
    values = [element for element in (1, 2)]
print(shift(10), Holder.values, [last := value for value in "ab"], last)
""",
        "([1, 1, 3, 3], 10, 4) [1, 2] ['a', 'b'] b\n",
    ),
    "125: annotated variables of a class are attributes": (
        """
class Settings:
    plain = 5
    annotated: int = 10
    declared: int
    both: int = annotated + plain
settings = Settings()
settings.declared = 2
print(Settings.plain, Settings.annotated, settings.both, settings.declared, hasattr(Settings, "declared"))
""",
        "5 10 15 2 False\n",
    ),
    "changelog: constants that fold to something else": (
        """
print(10 ** 3, 0.1 + 0.2, -1 ** 2, (-1) ** 2, 1e308 * 10, -0.0, 1j * 1j, 1 - 1j, -(2 + 3j), 7 // -2)
print(2 ** -1, 1 if not 0.0 else 2, 1 << 70, ~5, not (), "a" "b" * 2, (1,) * 2, -(-1), 5 .real, 0xFF & ~1)
""",
        "1000 0.30000000000000004 -1 1 inf -0.0 (-1+0j) (1-1j) (-2-3j) -4\n"
        "0.5 1 1180591620717411303424 -6 True abab (1, 1) 1 5 254\n",
    ),
    "changelog: starred values that need parentheses, or not": (
        """
def pair(*values):
    return *values, 3
def each(values):
    for value in *values, 0:
        yield value, *values
rest = {"b": 2}
print(pair(1, 2), list(each([1])), {"a": 1, **(rest or {})}, {**rest} | {"c": 3}, [*range(2), *"x"])
print((lambda *values, key=None, **options: (values, key, options))(*[1], *(2, 3), **rest, **{"key": 4}))
""",
        "(1, 2, 3) [(1, 1), (0, 1)] {'a': 1, 'b': 2} {'b': 2, 'c': 3} [0, 1, 'x']\n((1, 2, 3), 4, {'b': 2})\n",
    ),
    "changelog: a parameter before the slash may share a key's name": (
        """
def collect(self, item, /, **fields):
    return self, item, sorted(fields)
def plain(item, /, other):
    return item, other
print(collect(1, 2, self=3, item=4), plain(1, other=2))
try:
    plain(item=1, other=2)
except TypeError:
    print("only by position")
""",
        "(1, 2, ['item', 'self']) (1, 2)\nonly by position\n",
    ),
    "changelog: exceptions are raised with and without brackets": (
        """
def fail(kind):
    try:
        raise kind
    except (ValueError, KeyError) as error:
        return error.args, type(error).__name__
class Exception_(ValueError):
    def __init__(self):
        super().__init__("own")
try:
    raise Exception()
except Exception as error:
    print(error.args)
print(fail(ValueError), fail(KeyError("key")), fail(Exception_()))
""",
        "()\n((), 'ValueError') (('key',), 'KeyError') (('own',), 'Exception_')\n",
    ),
}
