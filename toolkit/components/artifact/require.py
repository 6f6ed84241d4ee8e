"""Refusal of artifacts that are not what they should be."""

from toolkit.components.base.failure import InputError


def require_artifact(condition: bool, expected: str, found: object) -> None:
    """`InputError` unless `condition` holds."""
    if not condition:
        raise InputError(f"artifact: expected {expected}, found {found}; train again or use the build that wrote it")
