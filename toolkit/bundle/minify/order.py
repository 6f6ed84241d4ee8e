"""The order of definitions that compresses best: similar ones next to each other, each after what its own run needs.

A chain of definitions, each among those left the one that shares most text with the last few, then a hill climb that
moves one at a time next to one it shares text with, judged by the length of the compressed program. Deterministic: the
number of steps is fixed, and so is the generator that proposes them.
"""

import ast
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from toolkit.bundle.link.parts import Part
from toolkit.bundle.pack.cache import cached
from toolkit.bundle.pack.compress import default_filters, in_parallel, raw_lzma
from toolkit.bundle.rewrite.edits import Source, first_line, last_line

STEPS = 400
_PROPOSALS = 2  # a step; of those that do no harm the best is taken
_GRAM = 6  # characters that count as shared text
_WHOLE = 1_000_000  # weight of a text that no other piece has; whole numbers, so that every Python adds up the same
_FADING = 0.8  # weight of what one piece more has come after
_NEIGHBOURS = 10  # most similar definitions that a move may go next to
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def in_canonical_order(parts: list[Part]) -> list[Part]:
    """Parts by name, each after what it needs when it runs: the same whatever modules they come from."""
    by_name = sorted(parts, key=lambda part: sorted(part.declares))
    needs = requirements(ast.parse("".join(part.source for part in by_name)).body)
    order: list[int] = []
    while len(order) < len(needs):
        order.append(next(i for i, need in enumerate(needs) if i not in order and need.issubset(order)))
    return [by_name[index] for index in order]


def reorder(text: str, parts: list[Part]) -> tuple[str, list[Part]]:
    """A program and its parts in another order of definitions.

    `text` holds imports, then one definition for each part, free of effects as the contract of components demands, then
    the block that starts the run.
    """
    head, pieces, tail = cut(text)
    if len(pieces) != len(parts):
        raise AssertionError(f"expected {len(parts)} definitions, one for each part, found {len(pieces)}")
    if len(pieces) < 2:
        return text, parts
    order = json.loads(cached(["order", str(STEPS), text], lambda: json.dumps(_climb(head, pieces, tail))))
    if sorted(order) != list(range(len(pieces))) or not _is_valid(order, requirements(ast.parse("".join(pieces)).body)):
        raise AssertionError("expected every definition once, after what it needs")
    return _joined(head, pieces, tail, order), [parts[index] for index in order]


def cut(text: str) -> tuple[str, list[str], str]:
    """Imports, definitions, and the block at the end; together they are the text."""
    source = Source(text)
    body = [stmt for stmt in source.tree.body[:-1] if not isinstance(stmt, (ast.Import, ast.ImportFrom))]
    tail = source.lines(first_line(source.tree.body[-1]), len(source.line_starts) - 1)
    pieces = [source.lines(first_line(stmt), last_line(stmt)) for stmt in body]
    head = text.removesuffix("".join([*pieces, tail]))
    if len(head) + sum(map(len, pieces)) + len(tail) != len(text):
        raise AssertionError("expected imports, definitions and a block, each on lines of its own")
    return head, pieces, tail


def requirements(body: Sequence[ast.stmt]) -> list[set[int]]:
    """For every statement those that must run before it: what its decorators, bases, defaults and class body read."""
    declared = {}
    for index, stmt in enumerate(body):
        targets = stmt.targets if isinstance(stmt, ast.Assign) else [stmt]
        names = [getattr(target, "name", getattr(target, "id", "")) for target in targets]
        declared.update(dict.fromkeys(names, index))
    return [{declared[name] for name in _read_at_once(stmt) if name in declared} - {i} for i, stmt in enumerate(body)]


def _read_at_once(node: ast.AST) -> Iterator[str]:
    """Names that are read when a statement runs, not when a function inside it does."""
    if isinstance(node, ast.Name):
        yield node.id
    bodies = node.body if isinstance(node, _FUNCTIONS) else [node.body] if isinstance(node, ast.Lambda) else []
    for child in ast.iter_child_nodes(node):
        if child not in bodies:
            yield from _read_at_once(child)


def _climb(head: str, pieces: list[str], tail: str) -> list[int]:
    needs = requirements(ast.parse("".join(pieces)).body)
    filters = default_filters("".join([head, *pieces, tail]).encode())

    def cost(order: list[int]) -> int:
        return len(raw_lzma(_joined(head, pieces, tail, order).encode(), filters))

    shared = _shared_text(pieces)
    near = [_most_like(index, row) for index, row in enumerate(shared)]
    generator = random.Random(0)
    order = _chain(pieces, needs, shared)
    best = cost(order)
    for _ in range(STEPS):
        proposals = [_moved(order, near, generator) for _ in range(_PROPOSALS)]
        proposals = [proposal for proposal in proposals if _is_valid(proposal, needs)]
        costs = in_parallel(cost, proposals)
        if costs and min(costs) <= best:
            best = min(costs)
            order = proposals[costs.index(best)]
    return order


def _joined(head: str, pieces: list[str], tail: str, order: Sequence[int]) -> str:
    return "".join([head, *(pieces[index] for index in order), tail])


def _moved(order: list[int], near: list[list[int]], generator: random.Random) -> list[int]:
    """The order with one definition moved before or behind one that is similar to it."""
    moving = generator.randrange(len(order))
    target = generator.choice(near[moving])
    moved = [index for index in order if index != moving]
    moved.insert(moved.index(target) + generator.randrange(2), moving)
    return moved


def _shared_text(pieces: list[str]) -> list[list[int]]:
    """How much text each piece shares with each other; what few pieces have in common counts more."""
    grams = [{piece[i : i + _GRAM] for i in range(len(piece))} for piece in pieces]
    frequency = Counter(gram for gathered in grams for gram in gathered)
    weight = {gram: _WHOLE // number for gram, number in frequency.items()}
    return [[sum(weight[gram] for gram in own & other) for other in grams] for own in grams]


def _most_like(index: int, shared: list[int]) -> list[int]:
    others = [i for i in range(len(shared)) if i != index]
    return sorted(others, key=lambda i: -shared[i])[:_NEIGHBOURS]


def _chain(pieces: list[str], needs: list[set[int]], shared: list[list[int]]) -> list[int]:
    """An order in which each piece is, for its size, the one most like those just before it."""
    order: list[int] = []
    likeness = [0.0] * len(pieces)
    while len(order) < len(pieces):
        ready = [i for i, need in enumerate(needs) if i not in order and need.issubset(order)]
        order.append(max(ready, key=lambda i: likeness[i] / math.sqrt(len(pieces[i]))))
        likeness = [_FADING * value + more for value, more in zip(likeness, shared[order[-1]], strict=True)]
    return order


def _is_valid(order: list[int], needs: list[set[int]]) -> bool:
    position = {index: place for place, index in enumerate(order)}
    return all(position[need] < position[index] for index in order for need in needs[index])
