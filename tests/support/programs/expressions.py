"""Expressions of the programs in `program.py`. Every value is a whole number, so that any expression fits anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.support.programs.scopes import ATTRIBUTES, MAX_RANK, VARIABLES, Scope, Signature


class Expressions:
    """Every choice is drawn. A method takes the scope to write for, and how deep the expression may be nested."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.num_iterables = 0  # around this, of comprehensions: `:=` is an error in them

    # Choices.

    def choose(self, options: Any) -> Any:
        return self.draw(st.sampled_from(list(options)))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(0, one_in - 1)) == one_in - 1)

    def some(self, pool: tuple[str, ...], at_most: int) -> list[str]:
        names: list[str] = self.draw(st.lists(st.sampled_from(pool), max_size=at_most, unique=True))
        return names

    # Expressions.

    def number(self, scope: Scope, depth: int = 2) -> str:
        names = scope.visible_numbers()
        leaf = not depth or self.chance(3)
        if leaf:
            return str(self.choose(names)) if names and not self.chance(4) else str(self.draw(st.integers(0, 9)))
        kinds = [
            self.sum_of,
            self.choice,
            self.call,
            self.call,
            self.call,
            self.comprehension,
            self.by_key,
            self.applied_lambda,
            self.text_length,
            self.attribute,
        ]
        if scope.kind != "comprehension" and not self.num_iterables:
            kinds.append(self.walrus)
        kind = self.choose(kinds)
        return str(kind(scope, depth - 1))

    def sum_of(self, scope: Scope, depth: int) -> str:
        left, right = self.number(scope, depth), self.number(scope, depth)
        return f"({left} {self.choose('+-')} {right})" if self.chance(2) else f"({left} * {right} % 97)"

    def choice(self, scope: Scope, depth: int) -> str:
        return f"({self.number(scope, depth)} if {self.condition(scope, depth)} else {self.number(scope, depth)})"

    def condition(self, scope: Scope, depth: int) -> str:
        comparison = f"{self.number(scope, depth)} {self.choose(('<', '>=', '!='))} {self.number(scope, depth)}"
        return f"{self.choose(('not ', ''))}{comparison}"

    def walrus(self, scope: Scope, depth: int) -> str:
        name, value = self.choose(VARIABLES), self.number(scope, depth)
        if name not in scope.numbers:
            return value
        return f"({name} := {value})"

    def comprehension(self, scope: Scope, depth: int) -> str:
        name, other = self.choose(VARIABLES), self.choose(VARIABLES)
        self.num_iterables += 1
        items = f"[{self.number(scope, depth)}, {self.number(scope, depth)}, 3]"
        self.num_iterables -= 1
        inner = Scope("comprehension", scope)
        inner.bind(name)
        binding = ""
        is_bindable = scope.kind in ("module", "function") and other in scope.numbers and other != name
        if is_bindable and not self.num_iterables and self.chance(2):
            binding = f" if ({other} := {self.number(inner, 0)}) or True"
        head = f"for {name} in {items}{binding}"
        if not binding and self.chance(3):  # a loop within a loop, over what the first one binds
            head += f" for {other} in range({name} % 3)"
            inner.bind(other)
        form = self.choose(("sum([{1} {2}])", "sum({1} {2})", "sum({{{0}: {1} {2}}}.values())", "len({{{1} {2}}})"))
        return str(form.format(name, self.number(inner, depth), head))

    def lambda_of(self, scope: Scope, depth: int, parameters: list[str]) -> str:
        inner = Scope("function", scope)
        for name in parameters:
            inner.bind(name)
        return f"lambda {', '.join(parameters)}: {self.number(inner, depth)}"

    def by_key(self, scope: Scope, depth: int) -> str:
        name = self.choose(VARIABLES)
        items = f"[{self.number(scope, depth)}, 4, {self.number(scope, depth)}]"
        key = self.lambda_of(scope, depth, [name])
        form = self.choose(
            ("sorted({0}, key={1})[0]", "max({0}, key={1})", "sum(map({1}, {0}))", "call_with({1}, *{0}[:1])")
        )
        return str(form.format(items, key))

    def applied_lambda(self, scope: Scope, depth: int) -> str:
        first, second = self.draw(st.lists(st.sampled_from(VARIABLES), min_size=2, max_size=2, unique=True))
        default = self.number(scope, depth)
        body = self.lambda_of(scope, depth, [first, second]).partition(": ")[2]
        given = self.choose(("", f", {default}", f", {second}={default}"))
        return f"(lambda {first}, {second}={default}: {body})({self.number(scope, depth)}{given})"

    def text_length(self, scope: Scope, depth: int) -> str:
        value = self.number(scope, depth)
        names = scope.visible_numbers()
        if names and self.chance(2):
            name = self.choose(names)
            return f'len(f"{{{name}}} {{{name}:>{{4}}}}")'
        if set(value) & set("'\":!{"):  # what a field cannot hold before Python 3.12
            return value
        return f"len(f'{{{value}}}-{{{value}!r:<4}}')"

    def attribute(self, scope: Scope, depth: int) -> str:
        objects = sorted({name for seen, hidden in scope.chain() for name in seen.objects - hidden})
        if not objects:
            return self.number(scope, depth)
        name, attribute = self.choose(objects), self.choose(ATTRIBUTES)
        form = self.choose(
            ('getattr({0}, "{1}", {2})', 'vars({0}).get("{1}", {2})', "({0}.{1} if hasattr({0}, '{1}') else {2})")
        )
        return str(form.format(name, attribute, self.number(scope, depth)))

    def call(self, scope: Scope, depth: int) -> str:
        known = {n: s for n, s in scope.visible_callables().items() if s.rank < MAX_RANK}
        if not known:
            return self.number(scope, depth)
        name = self.choose(known)
        signature = known[name]
        function = scope
        while function.kind == "class" and function.parent:
            function = function.parent
        function.rank = max(function.rank, signature.rank + 1)
        arguments = self.arguments(signature, scope, depth)
        form = "call_with({0}, {1})" if arguments and self.chance(5) else "{0}({1})"
        return signature.result.format(form.format(name, arguments))

    def arguments(self, signature: Signature, scope: Scope, depth: int) -> str:
        given: list[str] = []
        by_name: list[tuple[str, str]] = []
        for index, (name, has_default) in enumerate(signature.positional):
            value = self.number(scope, depth)
            positional_only = index < signature.num_positional_only
            if has_default and self.chance(3):
                if positional_only:
                    return ", ".join(given)
                by_name = by_name or [("", "")]  # from here on by keyword
            elif by_name or (not positional_only and self.chance(3)):
                by_name.append((name, value))
            else:
                given.append(value)
        by_name = [pair for pair in by_name if pair[0]]
        if signature.star and len(given) == len(signature.positional) and self.chance(2):
            given.append(f"*[{self.number(scope, 0)}, 2]")
        elif given and self.chance(5):
            given[-1] = f"*({given[-1]},)"
        by_name += [
            (n, self.number(scope, depth))
            for n, has_default in signature.keyword_only
            if not has_default or self.chance(2)
        ]
        if signature.mapping and self.chance(2):
            taken = {name for name, _ in signature.positional + signature.keyword_only}
            by_name += [(name, "7") for name in self.some(VARIABLES, 2) if name not in taken]
        by_name = self.draw(st.permutations(by_name))
        texts = [f"{name}={value}" for name, value in by_name]
        if by_name and self.chance(3):
            name, value = by_name[-1]
            texts[-1] = self.choose((f'**{{"{name}": {value}}}', f"**dict({name}={value})"))
        return ", ".join(given + texts)
