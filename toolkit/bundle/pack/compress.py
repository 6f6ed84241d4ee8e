"""The shortest stream that decompresses to a text: LZMA under searched parameters, and brotli where it is at hand.

Searches run in threads, since both codecs release the interpreter's lock. Results do not depend on their number.
"""

import lzma
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import brotli

_MATCH_FINDERS = (lzma.MF_BT2, lzma.MF_BT3, lzma.MF_BT4)
_NICE_LENGTHS = (*range(16, 128, 4), 160, 192, 224, 273)
_LARGE = 1 << 17  # bytes of text from which a full search takes long
_HUGE = 1 << 20

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Stream:
    """Compressed bytes and how a stub takes them apart."""

    data: bytes
    module: str  # to import
    arguments: str = ""  # of `module.decompress`, after the data


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Results in the order of the items, computed on the cores that this process may use."""
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(num_cores) as pool:
        return list(pool.map(function, items))


def streams(data: bytes, with_brotli: bool) -> Iterator[Stream]:
    """The best stream of every kind of container."""
    if with_brotli:
        yield Stream(best_brotli(data), "brotli")
    filters = search_filters(data)
    # .lzma container: 13 bytes of header, but the stub need not name a filter.
    yield Stream(lzma.compress(data, lzma.FORMAT_ALONE, filters=[filters]), "lzma")
    # Raw LZMA1: no header, the stub names what differs from the default.
    names = {key: filters[key] for key, default in (("lc", 3), ("lp", 0), ("pb", 2)) if filters[key] != default}
    text = '{"id":2**62+1' + "".join(f',"{key}":{value}' for key, value in names.items()) + "}"
    yield Stream(raw_lzma(data, filters), "lzma", f",3,None,[{text}]")
    # Raw LZMA2: the stream names its parameters itself.
    yield Stream(raw_lzma(data, {**filters, "id": lzma.FILTER_LZMA2}), "lzma", ',3,None,[{"id":33}]')


def raw_lzma(data: bytes, filters: dict[str, Any]) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[filters])


def default_filters(data: bytes) -> dict[str, Any]:
    """LZMA1 as thorough as it gets, with the contexts that suit small source texts in most cases."""
    # The dictionary covers the whole text; a larger one only costs time.
    dict_size = max(1 << len(data).bit_length(), 4096)
    base = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dict_size, "nice_len": 273}
    return {**base, "lc": 3, "lp": 0, "pb": 0}


def search_filters(data: bytes) -> dict[str, Any]:
    """LZMA parameters that give the shortest stream: first the bits that contexts use, then how matches are found.

    The search takes 141 compressions of a script of common size, 9 of a large one and none of a huge one, whose
    single compression takes seconds.
    """

    def best(candidates: list[dict[str, Any]]) -> dict[str, Any]:
        sizes = in_parallel(lambda filters: len(raw_lzma(data, filters)), candidates)
        return candidates[sizes.index(min(sizes))]

    base = default_filters(data)
    if len(data) > _HUGE:
        return base
    is_large = len(data) > _LARGE
    contexts = [(lc, lp, pb) for lc in range(5) for lp in range(5 - lc) for pb in range(3)]
    base = best([{**base, "lc": lc, "lp": lp, "pb": pb} for lc, lp, pb in contexts if not is_large or lp == pb == 0])
    lengths = _NICE_LENGTHS[7::8] if is_large else _NICE_LENGTHS
    finders = _MATCH_FINDERS[-1:] if is_large else _MATCH_FINDERS
    return best([{**base, "mf": mf, "nice_len": nice} for mf in finders for nice in lengths])


def best_brotli(data: bytes) -> bytes:
    """The shortest brotli stream; its built-in dictionary suits scripts with English messages."""
    settings = [(mode, window) for window in (16, 22) for mode in (brotli.MODE_GENERIC, brotli.MODE_TEXT)]
    found = in_parallel(lambda s: bytes(brotli.compress(data, mode=s[0], quality=11, lgwin=s[1])), settings)
    return min(found, key=lambda stream: (len(stream), stream))
