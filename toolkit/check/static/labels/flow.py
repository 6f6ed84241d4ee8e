"""How labels pass through operators, subscripts and stores."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from toolkit.check.static.labels.values import (
    CONTEXT,
    CONTROL,
    COUNT,
    ITEM,
    LOSS,
    MASK,
    PAIR_KEY,
    PAIR_SUM,
    PATH,
    PREFIX,
    REALISED,
    ROLES,
    SUMMED,
    TARGET,
    TOTAL,
    TRAIN,
    VAL,
    Module,
    Value,
    data_tags,
    places,
    sticky,
)


def is_realised(tags: frozenset[str]) -> bool:
    """Does it depend on the token being predicted?"""
    return bool(tags & REALISED) and VAL in tags


def _whole(node: ast.expr | None) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) is int
    ):
        return -node.operand.value
    return None


def index_tokens(tags: frozenset[str], index: ast.expr | None) -> frozenset[str]:
    """Role of tokens after a subscript: `[1:]` targets, `[:-1]` and `[i - k]` context, `[i]` the current item."""
    tags = frozenset(t for t in tags if not t.startswith("cfg:"))
    if VAL not in tags or index is None:
        return tags
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    for part in parts:
        if isinstance(part, ast.Slice):
            tags = _slice_tokens(tags, part, alone=len(parts) == 1)
        elif LOSS in tags or _whole(part) is not None or (isinstance(part, ast.Constant)):
            continue
        elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub):
            tags = (tags - REALISED) | {CONTEXT}
        elif not tags & ROLES and not places(tags, "hash"):  # an element of an array of hashes is no token
            tags |= {ITEM}
    return tags


_LENGTH = re.compile(
    r"(^|_)(seq|w|max|chunk|win|window|context)?_?(len|size|length|lens|total)$|^[TLN]$|^seqlen$", re.IGNORECASE
)


def _whole_length(bound: ast.expr) -> bool:
    """Is it the length of the window, or that less one?"""
    if isinstance(bound, ast.BinOp) and isinstance(bound.op, ast.Sub) and isinstance(bound.right, ast.Constant):
        bound = bound.left
    name = bound.id if isinstance(bound, ast.Name) else bound.attr if isinstance(bound, ast.Attribute) else ""
    return _LENGTH.search(name) is not None


def _slice_tokens(tags: frozenset[str], part: ast.Slice, *, alone: bool) -> frozenset[str]:
    low, high = _whole(part.lower), _whole(part.upper)
    if (
        part.lower is None
        and part.upper is not None
        and high is None
        and tags & {TARGET, LOSS}
        and not _whole_length(part.upper)
    ):
        tags |= {PREFIX}
    if LOSS in tags:
        return tags
    if low is not None and low >= 1 and CONTEXT not in tags:
        return (tags - {ITEM}) | {TARGET}
    if high is not None and high < 0 and part.lower is None and TARGET not in tags:
        return (tags - {ITEM}) | {CONTEXT}
    if ITEM in tags and part.lower is None and part.upper is not None and not alone:
        return (tags - {ITEM}) | {CONTEXT}
    if (
        isinstance(part.lower, ast.BinOp)
        and not tags & ROLES
        and isinstance(part.lower.op, ast.Add)
        and _whole(part.lower.right) == 1
    ):
        return tags | {TARGET}
    history = isinstance(part.lower, ast.BinOp) and isinstance(part.lower.op, ast.Sub) and part.upper is not None
    recent = alone and isinstance(part.lower, ast.UnaryOp) and low is None and part.upper is None
    if (history and not isinstance(part.upper, ast.BinOp)) or recent:
        return (tags - REALISED) | {CONTEXT}
    return tags


def combine(op: ast.operator, a: Value, b: Value, module: Module, line: int) -> frozenset[str]:
    """Labels of `a op b`: their union, and what it makes of a context and a target, or of a loss and a length."""
    tags = data_tags(a, b)
    if PATH in b.tags and isinstance(op, ast.Div):
        return path_tags(data_tags(a), b.tags)
    selects = isinstance(op, ast.BitAnd | ast.BitOr) and all(MASK in v.tags or VAL not in v.tags for v in (a, b))
    if MASK in tags and not selects:
        tags -= {MASK}
    if VAL not in tags:
        return tags
    if LOSS not in tags:
        return tags | _hashed(op, a.tags, b.tags, module, line)
    if isinstance(op, ast.Div | ast.FloorDiv | ast.Pow) and spreads(a.tags, b.tags):
        tags |= {sticky("spread", module, line)}
    if isinstance(op, ast.Div) and all({LOSS, VAL} <= v.tags and SUMMED not in v.tags for v in (a, b)):
        tags |= {sticky("conditional", module, line)}
    if isinstance(op, ast.Add):
        tags |= byte_mix(a.tags, b.tags, module, line)
    if isinstance(op, ast.Mult):
        for one, other in ((a.tags, b.tags), (b.tags, a.tags)):
            if LOSS in one and places(other, "match") and not places(one, "match"):
                tags |= {sticky("paid", module, line)}
    return tags


def _hashed(op: ast.operator, a: frozenset[str], b: frozenset[str], module: Module, line: int) -> frozenset[str]:
    """What mixing values made of tokens gives: a hash; a key of the pair when the realised token joins its context."""
    if isinstance(op, ast.BitAnd | ast.BitOr) and all(MASK in t or VAL not in t for t in (a, b)):
        return frozenset()
    here = sticky("hash", module, line)
    if isinstance(op, ast.BitXor):
        found = frozenset({here})
        if PAIR_SUM in a | b or any(_pairs(token, rest, here) for token, rest in ((a, b), (b, a))):
            found |= {PAIR_KEY}
        return found
    if isinstance(op, ast.Add | ast.BitOr):
        for one, other in ((a, b), (b, a)):
            if is_realised(one) and VAL in other and (CONTEXT in other or not is_realised(other)):
                return frozenset({PAIR_SUM})
            if VAL in one and CONTEXT not in one and not places(one, "hash") and _hashed_elsewhere(other, line):
                return frozenset({PAIR_SUM})
    if isinstance(op, ast.Mod | ast.BitAnd):
        return frozenset({here, PAIR_KEY}) if PAIR_SUM in a | b else frozenset({here})
    return frozenset()


def path_tags(folder: frozenset[str], name: frozenset[str]) -> frozenset[str]:
    """Labels of a path: the name of the files says more than that of their folder."""
    return (folder - {VAL, TRAIN} if PATH in name else folder) | data_tags(Value(tags=name))


def window_pair(context: frozenset[str], token: frozenset[str]) -> frozenset[str]:
    """A window of context with the realised token put behind it: its hash is one of the pair."""
    if LOSS in context | token or not {CONTEXT, VAL} <= context or not is_realised(token) or CONTEXT in token:
        return frozenset()
    return frozenset({PAIR_SUM})


def _hashed_elsewhere(tags: frozenset[str], line: int) -> bool:
    """A hash of tokens that another line has made; one grown in a loop by the same line is still of the context."""
    lines = [at for _, at in places(tags, "hash")]
    return bool(lines) and VAL in tags and line not in lines


def _pairs(token: frozenset[str], rest: frozenset[str], here: str) -> bool:
    """Is `token` the realised token and `rest` a hash of others? One grown by the same line in a loop is of context."""
    if VAL not in token or VAL not in rest or CONTEXT in token or here in rest or places(token, "hash"):
        return False
    hashed = bool(places(rest, "hash"))
    if is_realised(token):
        return hashed or CONTEXT in rest or TARGET not in rest
    return hashed


def summed(tags: frozenset[str]) -> frozenset[str]:
    """Labels of a sum or mean over values that have these."""
    return tags | {SUMMED if LOSS in tags else TOTAL}


def spreads(loss: frozenset[str], length: frozenset[str]) -> bool:
    """A token's own loss divided by something that depends on that token, its number of bytes; or its probability
    raised to that something's inverse.
    """
    if any(t.startswith("model:") for t in length):  # a probability, not a number of bytes
        return False
    own = {LOSS, VAL} <= loss and not loss & {SUMMED}
    return own and is_realised(length) and not length & {SUMMED, TOTAL, LOSS} and not places(length, "hash")


def byte_mix(a: frozenset[str], b: frozenset[str], module: Module, line: int) -> frozenset[str]:
    """A spread loss put together with a model that counts."""
    for one, other in ((a, b), (b, a)):
        if places(one, "spread") and not places(other, "spread") and COUNT in other and not places(one | other, "sum"):
            return frozenset({sticky("bytemix", module, line)})
    return frozenset()


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _factors(node.left) + _factors(node.right)
    return [node]


def _one_minus(node: ast.expr) -> ast.expr | None:
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Constant)
        and node.left.value == 1
    ):
        return node.right
    return None


def mark_mix(node: ast.BinOp, labels: Callable[[ast.expr], frozenset[str]], module: Module) -> frozenset[str]:
    """`w*a + (1-w)*b`, also in logarithms, whose weight depends on the realised token."""
    if not isinstance(node.op, ast.Add):
        return frozenset()
    weights: list[ast.expr] = []
    for one, other in ((node.left, node.right), (node.right, node.left)):
        plain = [ast.dump(f) for f in _factors(other)] if isinstance(other, ast.BinOp) else []
        for factor in _factors(one) if isinstance(one, ast.BinOp) else []:
            weight = _one_minus(factor)
            if weight is not None and ast.dump(weight) in plain:
                weights.append(weight)
        if (
            isinstance(one, ast.Call)
            and one.args
            and "log" in ast.unparse(one.func).lower() + "_ln"
            and len(one.args) == 1
        ):
            weight = _one_minus(one.args[0])
            if weight is not None:
                weights.append(weight)
    for weight in weights:
        tags = labels(weight)
        rest = labels(node)
        if LOSS not in rest and COUNT not in rest:
            continue
        if is_realised(tags) and not tags & {SUMMED, TOTAL, MASK}:
            return frozenset({sticky("gate", module, node.lineno)})
        if CONTROL in tags or (is_realised(tags) and not tags & {SUMMED, TOTAL}):
            return frozenset({sticky("softgate", module, node.lineno)})
    return frozenset()


def keeps_best(target: ast.Subscript, node: ast.AST, value: Value, module: Module) -> frozenset[str]:
    """`best[i] = minimum(best[i], new)` of per-token losses."""
    call = getattr(node, "value", None)
    if not isinstance(call, ast.Call) or LOSS not in value.tags or VAL not in value.tags or SUMMED in value.tags:
        return frozenset()
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    own = ast.unparse(target.value)
    if "min" in name and any(ast.unparse(a).split("[")[0] == own for a in call.args):
        return frozenset({sticky("oracle", module, target.lineno)})
    return frozenset()


def _ends_before_scores(part: ast.Slice) -> bool:
    """A mask over `[:bound]`, or up to where scored positions start."""
    if not isinstance(part.upper, ast.Name):
        return False
    return part.lower is None or re.search(r"^s$|start|context_end|ctx_end", part.upper.id) is not None


def stored_tags(value: Value, holder: Value, key: Value, index: ast.expr) -> frozenset[str]:
    """Labels that a store adds to its holder.

    Under a key made of tokens the holder is a memory of the past: what is said of the present token ends there.
    """
    tags = data_tags(value)
    if VAL in key.tags and MASK not in key.tags and not isinstance(index, ast.Slice):
        return frozenset(t for t in tags if "@" not in t and t not in REALISED and t not in (LOSS, CONTROL))
    if places(key.tags, "match") and value.known and value.const == 0:
        number, line = places(key.tags, "match")[0]
        tags |= {f"paid@{number}:{line}"}
    if MASK in key.tags and value.known:
        tags |= data_tags(key) if isinstance(value.const, bool) else data_tags(key) - {MASK}
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    if value.known and any(isinstance(p, ast.Slice) and _ends_before_scores(p) for p in parts):
        tags |= {PREFIX}
    return tags
