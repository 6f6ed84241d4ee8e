"""The codec proof of a run, as `golf prove` leaves it: proof.json beside the artifact that it is of."""

import json
from pathlib import Path
from typing import Any

from toolkit.errors import GolfError
from toolkit.folders import ARTIFACT_NAME, PROOF_CODE_NAME, PROOF_NAME, SCRIPT_NAME, build_of, sha256_of

_VERSION = 1


def read_proof(run: Path) -> dict[str, Any]:
    """The content of a run's proof; `GolfError` where there is none."""
    try:
        proof: dict[str, Any] = json.loads((run / PROOF_NAME).read_text(encoding="utf-8"))
        if proof["schema_version"] == _VERSION:
            return proof
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise GolfError(f"{run / PROOF_NAME}: expected a proof of version {_VERSION}, found none; `golf prove` writes it")


def find_proof(run: Path) -> dict[str, Any]:
    """A run's proof if it belongs to the script and the artifact that lie there now, else nothing."""
    try:
        proof = read_proof(run)
        files = (build_of(run) / SCRIPT_NAME, run / ARTIFACT_NAME, run / PROOF_CODE_NAME)
        is_ours = all(proof["sha256"][path.name] == sha256_of(path) for path in files)
    except (GolfError, OSError, KeyError, TypeError):
        return {}
    return proof if is_ours else {}
