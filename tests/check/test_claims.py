"""submission.json in the shapes that published folders use."""

import json
from typing import Any

import pytest

from toolkit.check.subject.claims import parse_claims
from toolkit.errors import GolfError


@pytest.mark.parametrize(
    ("fields", "seeds"),
    [
        ({"seeds": [42, 7]}, {42: {}, 7: {}}),
        ({"seed": 1337}, {1337: {}}),
        ({"seeds": [42], "seed_results": {"42": {"val_bpb": 1.1}}}, {42: {"val_bpb": 1.1}}),
        (
            {"seeds": {"42": {"bytes_total": 5, "train_time_ms": 2000}}},
            {42: {"artifact_bytes": 5, "train_seconds": 2.0}},
        ),
        ({"seeds": [1, 2], "seed_scores": [1.1, 1.2]}, {1: {"val_bpb": 1.1}, 2: {"val_bpb": 1.2}}),
        ({"seed_results": {"42": {"val_bpb": None, "steps": "many"}, "x": {}}}, {42: {}}),
        ({"seeds": 42}, {42: {}}),
        ({}, {}),
    ],
)
def test_seeds(fields: dict[str, Any], seeds: dict[int, dict[str, float]]) -> None:
    assert parse_claims(json.dumps(fields), "submission.json").seeds == seeds


def test_field_names_vary() -> None:
    claims = parse_claims('{"mean_val_bpb": 1.1, "val_loss": null, "val_loss_nats": 1.9, "artifact_bytes_max": 3}', "x")
    assert (claims.val_bpb, claims.val_loss, claims.bytes_total) == (1.1, 1.9, 3)


def test_what_is_no_finite_number_is_no_claim() -> None:
    claims = parse_claims('{"val_bpb": NaN, "val_loss": 1e999, "bytes_total": true}', "x")
    assert (claims.val_bpb, claims.val_loss, claims.bytes_total) == (None, None, None)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_anything_but_an_object_is_an_error(text: str) -> None:
    with pytest.raises(GolfError, match=r"submission\.json: expected a JSON object"):
        parse_claims(text, "submission.json")
