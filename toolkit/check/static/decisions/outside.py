"""What leaves the Python of the run: C code that gets tokens and losses, and the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.check.static.context.native import Native
from toolkit.check.static.decisions.decision import Decision, at
from toolkit.check.static.labels.events import NATIVE, NETWORK, Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import FILE, LOSS, STORED, VAL


def native(trace: Trace, natives: Mapping[str, Native]) -> Iterator[Decision]:
    """What C code does with tokens and losses that reach it. It is read line by line only: a gate is a warning."""
    for event in trace.of(NATIVE):
        code = natives[event.detail]
        spread_line = code.spread_line(event.params) if code.mixes and event.tags & {LOSS, VAL, FILE} else 0
        if spread_line:
            status = FAIL if event.tags & {LOSS, STORED} else WARN
            what = f"C function {event.detail} divides a token's loss over its bytes and mixes it with a byte model"
            yield Decision("BYTE-SPREAD", status, what, code.file, spread_line, event.guards)
            what = "neither tokens nor bytes get a normalised distribution once a spread loss is mixed"
            yield Decision("C2-NORMALIZED", status, what, code.file, spread_line, event.guards)
        if code.gate_line and VAL in event.tags:
            what = f"C function {event.detail} fills a hint or flag in a branch chosen by the realised token"
            yield Decision("TARGET-GATE", WARN, what, code.file, code.gate_line, event.guards)
            what = "whether a hint exists tells about the realised token"
            yield Decision("C1-CAUSAL", WARN, what, code.file, code.gate_line, event.guards)


def network(trace: Trace) -> Iterator[Decision]:
    for event in trace.of(NETWORK):
        yield at("NO-NETWORK", WARN, f"a download or installer runs: {event.detail[:80]}", event)
