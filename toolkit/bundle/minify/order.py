"""The order of definitions that compresses best: similar ones next to each other, each after what its own run needs.

A hill climb that moves one definition at a time next to one it shares text with, judged by the length of the compressed
program. Deterministic: the number of steps is fixed, and so is the generator that proposes them.
"""

import ast
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from toolkit.bundle.link.parts import Part
from toolkit.bundle.pack.cache import cached
from toolkit.bundle.pack.compress import default_filters, in_parallel, raw_lzma
from toolkit.bundle.rewrite.edits import Source, first_line, last_line

STEPS = 200
_PROPOSALS = 4  # a step; of those that do no harm the best is taken
_GRAM = 6  # characters that count as shared text
_NEIGHBOURS = 10  # most similar definitions that a move may go next to
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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

    near = _similar(pieces)
    generator = random.Random(0)
    order = list(range(len(pieces)))
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


def _similar(pieces: list[str]) -> list[list[int]]:
    """For every piece those it shares most text with; what few pieces have in common counts more."""
    grams = [{piece[i : i + _GRAM] for i in range(len(piece))} for piece in pieces]
    frequency = Counter(gram for gathered in grams for gram in gathered)
    near = []
    for index, own in enumerate(grams):
        shared = [
            (-sum(1 / frequency[gram] for gram in sorted(own & other)), i)
            for i, other in enumerate(grams)
            if i != index
        ]
        near.append([i for _, i in sorted(shared)[:_NEIGHBOURS]])
    return near


def _is_valid(order: list[int], needs: list[set[int]]) -> bool:
    position = {index: place for place, index in enumerate(order)}
    return all(position[need] < position[index] for index in order for need in needs[index])
