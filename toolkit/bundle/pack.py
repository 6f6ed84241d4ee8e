"""A script that unpacks and runs itself: LZMA with searched parameters, base85, one `exec`.

`exec` runs in the script's own module, so `__name__`, `__file__` and the environment are those of the script.
"""

import base64
import lzma
from collections.abc import Iterator
from typing import Any

from toolkit.bundle.unpack import unpack

_MATCH_FINDERS = (lzma.MF_BT2, lzma.MF_BT3, lzma.MF_BT4)
_NICE_LENGTHS = (*range(16, 128, 4), 160, 192, 224, 273)


def pack(program: str) -> bytes:
    """The smallest script found that runs `program`; raises `AssertionError` if it does not hold that very text."""
    compile(program, "train_gpt.py", "exec", dont_inherit=True)
    data = program.encode()
    filters = search_filters(data)
    script = min(scripts(data, filters), key=lambda script: (len(script), script))
    if unpack(script).source != program:
        raise AssertionError("packing changed the program")
    return script


def scripts(data: bytes, filters: dict[str, Any]) -> Iterator[bytes]:
    """Scripts over the same LZMA stream in three wrappings."""
    # .lzma container: 13 bytes of header, but the stub need not name a filter.
    yield stub(lzma.compress(data, lzma.FORMAT_ALONE, filters=[filters]), "")
    # Raw LZMA1: no header, the stub names what differs from the default.
    names = {key: filters[key] for key, default in (("lc", 3), ("lp", 0), ("pb", 2)) if filters[key] != default}
    text = '{"id":2**62+1' + "".join(f',"{key}":{value}' for key, value in names.items()) + "}"
    yield stub(lzma.compress(data, lzma.FORMAT_RAW, filters=[filters]), f",3,None,[{text}]")
    # Raw LZMA2: the stream names its parameters itself.
    lzma2 = {**filters, "id": lzma.FILTER_LZMA2}
    yield stub(lzma.compress(data, lzma.FORMAT_RAW, filters=[lzma2]), ',3,None,[{"id":33}]')


def stub(blob: bytes, arguments: str) -> bytes:
    literal = base64.b85encode(blob).decode()
    # The call that runs the program has a line of its own, which is what a traceback shows.
    return f'import lzma,base64\nS=lzma.decompress(base64.b85decode("{literal}"){arguments})\nexec(S)'.encode()


def search_filters(data: bytes) -> dict[str, Any]:
    """LZMA parameters that give the shortest stream: first the bits that contexts use, then how matches are found."""

    def best(candidates: list[dict[str, Any]]) -> dict[str, Any]:
        return min(candidates, key=lambda filters: len(lzma.compress(data, lzma.FORMAT_RAW, filters=[filters])))

    # The dictionary covers the whole text; a larger one only costs time.
    dict_size = max(1 << len(data).bit_length(), 4096)
    base = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dict_size, "nice_len": 273}
    base = best([{**base, "lc": lc, "lp": lp, "pb": pb} for lc in range(5) for lp in range(5 - lc) for pb in range(3)])
    return best([{**base, "mf": mf, "nice_len": nice} for mf in _MATCH_FINDERS for nice in _NICE_LENGTHS])
