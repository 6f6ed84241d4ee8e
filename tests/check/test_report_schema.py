"""The JSON report against its published schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import Folder
from toolkit import check

SCHEMA = json.loads((Path(check.__file__).parent / "report" / "report.schema.json").read_text())
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "array": list,
    "object": dict,
}


def validate(value: Any, schema: dict[str, Any], place: str = "report") -> None:
    """The part of JSON Schema that ours uses; names that it does not know are an error here."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        assert value in schema.get("enum", [schema.get("const")]), place
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(value, TYPES[name]) for name in types), f"{place}: {value!r} is no {types}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            validate(item, schema["items"], f"{place}[{index}]")
    elif isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), place
        known = schema.get("properties", {})
        for name, item in value.items():
            assert name in known or "additionalProperties" in schema, f"{place}.{name} is not in the schema"
            validate(item, known.get(name) or schema["additionalProperties"], f"{place}.{name}")


@pytest.mark.parametrize("kind", ["record", "leaderboard", "build"])
def test_reports_keep_to_the_schema(kind: str, request: pytest.FixtureRequest) -> None:
    validate(request.getfixturevalue(kind).check().to_json(), SCHEMA)


def test_a_spoiled_record_keeps_to_it(record: Folder) -> None:
    record.edit("train_seed42.log", "val_loss:2.90004200 val_bpb:", "val_loss:nan val_bpb:nan ")
    record.edit("train_seed42.log", "  seed: 42", "  seed: 43")
    (record.path / "submission.json").write_text('{"val_bpb": 1e999, "seeds": ["x"]}')
    validate(record.check().to_json(), SCHEMA)


def test_the_version_is_that_of_the_reports(record: Folder) -> None:
    assert record.check().to_json()["schema_version"] == SCHEMA["properties"]["schema_version"]["const"]
