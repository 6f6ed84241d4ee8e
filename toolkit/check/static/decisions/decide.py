"""All decisions on an abstract run, by the families of this folder: which rule is broken, where and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from toolkit.check.static.context.native import Native
from toolkit.check.static.decisions.adaptation import adaptation
from toolkit.check.static.decisions.calibration import calibration
from toolkit.check.static.decisions.contained import self_contained
from toolkit.check.static.decisions.decision import Decision
from toolkit.check.static.decisions.documents import document_boundary
from toolkit.check.static.decisions.flows import value_flow
from toolkit.check.static.decisions.outside import native, network
from toolkit.check.static.decisions.tables import tables
from toolkit.check.static.labels.events import Trace
from toolkit.check.static.labels.findings import FAIL, WARN
from toolkit.check.static.labels.values import Module


def decide(
    trace: Trace, natives: Mapping[str, Native], modules: Sequence[Module], names: Iterable[str] | None
) -> Iterator[Decision]:
    """All decisions; `names` are the files of the folder, None where there is no folder to miss a file in."""
    events = (value_flow, adaptation, tables, calibration, network)
    yield from _once([*(decision for family in events for decision in family(trace)), *native(trace, natives)])
    yield from document_boundary(trace, modules)
    yield from self_contained(trace, modules, names)


def _once(decisions: Iterable[Decision]) -> list[Decision]:
    """Each rule and place once, a FAIL before a WARN."""
    found: dict[tuple[str, int, int], Decision] = {}
    for decision in decisions:
        key = (decision.rule, decision.file, decision.line)
        old = found.get(key)
        if old is None or (old.status == WARN and decision.status == FAIL):
            found[key] = decision
    return list(found.values())
