"""The compression of the payload: the one place that knows all compressors."""

import zlib

import brotli

from toolkit.components.artifact.require import require_artifact
from toolkit.components.config import Config


def compress(cfg: Config, payload: bytes) -> bytes:
    """Brotli needs about 2 s for a million weights."""
    if cfg.quantize.compressor == "zlib":
        return zlib.compress(payload, 9)
    return brotli.compress(payload, quality=11, lgwin=24)


def decompress(cfg: Config, body: bytes, payload_bytes: int) -> bytes:
    """The payload, never much more than `payload_bytes` of it; `InputError` unless it has just this size."""
    failure = zlib.error if cfg.quantize.compressor == "zlib" else brotli.error
    try:
        if cfg.quantize.compressor == "zlib":
            inflater = zlib.decompressobj()
            payload = inflater.decompress(body, payload_bytes + 1)
            complete = inflater.eof and not inflater.unused_data
        else:
            decoder = brotli.Decompressor()
            payload = decoder.process(body, output_buffer_limit=payload_bytes + 1)
            complete = decoder.is_finished()
    except failure:
        payload, complete = b"", False
    require_artifact(complete and len(payload) == payload_bytes, f"a stream of {payload_bytes} bytes", "another")
    return payload
