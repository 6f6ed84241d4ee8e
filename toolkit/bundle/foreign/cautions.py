"""What each kind of caution costs in a packed script, measured by packing again without that kind."""

from collections.abc import Mapping

from toolkit.bundle.foreign.guards import Caution
from toolkit.bundle.foreign.pack_script import PackedScript, pack_script
from toolkit.errors import GolfError


def caution_bytes(
    result: PackedScript, data: bytes, defines: Mapping[str, str] | None = None, encoding: str = "base85"
) -> dict[Caution, int | None]:
    """Bytes that every kind of caution in `result` costs; None where the script cannot be packed without it.

    The other arguments are those that the script was packed with. What two kinds keep costs nothing by either.
    """
    return {
        kind: _bytes_of(kind, result, data, defines, encoding) for kind in sorted({b.caution for b in result.blockers})
    }


def _bytes_of(
    kind: Caution, result: PackedScript, data: bytes, defines: Mapping[str, str] | None, encoding: str
) -> int | None:
    try:
        without = pack_script(data, defines, encoding, [*result.assumed, kind])
    except GolfError:
        return None
    return len(result.packed) - len(without.packed)
