"""The decoders that a stub may name, run under limits. Each is pure: bytes or text in, bytes or text out."""

import base64
import binascii
import bz2
import codecs
import lzma
import zlib
from collections.abc import Callable
from typing import Any

import brotli

from toolkit.errors import GolfError

MAX_OUTPUT_BYTES = 64 * 2**20  # decompression stops there
_MAX_MEMORY_BYTES = 256 * 2**20  # for the dictionary that an LZMA stream asks for
_PADDING = b"\0"
_PIECE = 5 * 2**17  # characters of base85, a whole number of groups


class DecodeError(Exception):
    """The data is not what the decoder expects, or the decoder may not be used so."""


def decompress_lzma(data: bytes, format: int = lzma.FORMAT_AUTO, memlimit: Any = None, filters: Any = None) -> bytes:
    """`lzma.decompress`; the script's memory limit gives way to ours."""
    if format == lzma.FORMAT_RAW:
        if any(item.get("dict_size", 0) > _MAX_MEMORY_BYTES for item in filters or ()):
            raise GolfError(f"packed script: expected an LZMA dictionary of at most {_MAX_MEMORY_BYTES} bytes")
        return _streams(lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), data)
    return _streams(lambda: lzma.LZMADecompressor(format, memlimit=_MAX_MEMORY_BYTES), data)


def decompress_zlib(data: bytes, wbits: int = zlib.MAX_WBITS, bufsize: int = 0) -> bytes:
    return _streams(lambda: zlib.decompressobj(wbits), data, single=True)


def decompress_gzip(data: bytes) -> bytes:
    return _streams(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS), data)


def decompress_bz2(data: bytes) -> bytes:
    return _streams(bz2.BZ2Decompressor, data)


def decompress_brotli(data: bytes) -> bytes:
    decompressor = brotli.Decompressor()
    output: bytes = decompressor.process(data, output_buffer_limit=MAX_OUTPUT_BYTES)
    while not decompressor.can_accept_more_data() and len(output) <= MAX_OUTPUT_BYTES:
        output += decompressor.process(b"", output_buffer_limit=MAX_OUTPUT_BYTES)
    _check_size(output)
    if not decompressor.is_finished():
        raise DecodeError("the stream ends early")
    return output


def _streams(make: Callable[[], Any], data: bytes, single: bool = False) -> bytes:
    """Decompress one stream after the other, as the standard library does; what follows the first may be no stream."""
    output: bytes = b""
    while True:
        decompressor = make()
        try:
            output += decompressor.decompress(data, MAX_OUTPUT_BYTES + 1 - len(output))
        except (lzma.LZMAError, OSError, zlib.error):
            if output:
                return output
            raise
        _check_size(output)
        if not decompressor.eof:
            raise DecodeError("the stream ends early")
        data = decompressor.unused_data.lstrip(_PADDING)
        if single or not data:
            return output


def _check_size(output: bytes) -> None:
    if len(output) > MAX_OUTPUT_BYTES:
        raise GolfError(f"packed script: expected at most {MAX_OUTPUT_BYTES} bytes after decompression, found more")


def decode_text(data: bytes, encoding: str = "utf-8", errors: str = "strict") -> str:
    return data.decode(_text_encoding(encoding), errors)


def encode_text(text: str, encoding: str = "utf-8", errors: str = "strict") -> bytes:
    return text.encode(_text_encoding(encoding), errors)


def _text_encoding(name: str) -> str:
    """A character encoding's name; the compressing codecs of the same registry know no limit."""
    if not codecs.lookup(name)._is_text_encoding:
        raise DecodeError(f"{name} is no character encoding")
    return name


def decode_base85(data: Any) -> bytes:
    """`base64.b85decode`, which needs forty times the memory of its input, piece by piece."""
    data = data.encode("ascii") if isinstance(data, str) else data
    return b"".join(base64.b85decode(data[i : i + _PIECE]) for i in range(0, len(data), _PIECE))


def to_bytes(value: Any, encoding: str = "utf-8") -> bytes:
    """`bytes(value)` of text, bytes or a list of numbers; never of a number, which would be a length."""
    return encode_text(value, encoding) if isinstance(value, str) else bytes(list(value))


def to_text(value: Any, encoding: str = "utf-8") -> str:
    return value if isinstance(value, str) else decode_text(value, encoding)


def _same(value: Any, *rest: Any, **named: Any) -> Any:
    return value


def _replace(value: Any, old: Any, new: Any, count: int = -1) -> Any:
    if len(value) + (len(value) + 1) * len(new) > MAX_OUTPUT_BYTES and value.count(old) * len(new) > MAX_OUTPUT_BYTES:
        raise GolfError(f"packed script: expected at most {MAX_OUTPUT_BYTES} bytes after replacing, found more")
    return value.replace(old, new, count)


def _join(separator: Any, items: Any) -> Any:
    if sum(len(item) + len(separator) for item in items) > MAX_OUTPUT_BYTES:
        raise GolfError(f"packed script: expected at most {MAX_OUTPUT_BYTES} bytes after joining, found more")
    return separator.join(items)


# Full name -> name in `Unpacked.layers`, empty for what only converts, and function.
DECODERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "lzma.decompress": ("lzma", decompress_lzma),
    "zlib.decompress": ("zlib", decompress_zlib),
    "gzip.decompress": ("gzip", decompress_gzip),
    "bz2.decompress": ("bz2", decompress_bz2),
    "brotli.decompress": ("brotli", decompress_brotli),
    "base64.b85decode": ("base85", decode_base85),
    "base64.a85decode": ("ascii85", base64.a85decode),
    "base64.b64decode": ("base64", base64.b64decode),
    "base64.standard_b64decode": ("base64", base64.b64decode),
    "base64.urlsafe_b64decode": ("base64", base64.urlsafe_b64decode),
    "base64.decodebytes": ("base64", base64.decodebytes),
    "base64.b32decode": ("base32", base64.b32decode),
    "base64.b16decode": ("base16", base64.b16decode),
    "binascii.a2b_base64": ("base64", binascii.a2b_base64),
    "binascii.unhexlify": ("base16", binascii.unhexlify),
    "binascii.a2b_hex": ("base16", binascii.unhexlify),
    "bytes.fromhex": ("base16", bytes.fromhex),
    "bytes": ("", to_bytes),
    "bytearray": ("", to_bytes),
    "str": ("", to_text),
    "compile": ("", _same),
}

# Objects with one method that decodes: their constructor's arguments are those of the function.
DECODER_OBJECTS = {
    "lzma.LZMADecompressor": ("decompress", "lzma.decompress"),
    "zlib.decompressobj": ("decompress", "zlib.decompress"),
    "bz2.BZ2Decompressor": ("decompress", "bz2.decompress"),
    "brotli.Decompressor": ("process", "brotli.decompress"),
}

# Methods of text and bytes.
METHODS: dict[str, Callable[..., Any]] = {
    "decode": decode_text,
    "encode": encode_text,
    "replace": _replace,
    "join": _join,
    "strip": lambda value, *chars: value.strip(*chars),
    "split": lambda value, *separator: value.split(*separator),
}
