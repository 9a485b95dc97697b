"""Avro's types as Arrow's. Pure but for pyarrow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from headwater.errors import InputError

__all__ = ["arrow_schema"]

_PLAIN = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "fixed": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
}
_LOGICAL = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("us", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "timestamp-nanos": pa.timestamp("ns", "UTC"),
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
    "uuid": pa.string(),
}


def arrow_schema(schema: Any) -> pa.Schema:
    """Return the Arrow schema of an Avro record.

    Raises:
        InputError: It is no record, or has a type that no table holds.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise InputError("The Avro file holds something else than records; each row must be one.")
    return pa.schema([pa.field(field["name"], _type(field["type"], {})) for field in schema["fields"]])


def _type(schema: Any, known: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        kinds = [one for one in schema if one != "null"]
        if len(kinds) == 1:
            return _type(kinds[0], known)
        raise InputError(f"The Avro file has a column of several types ({kinds}); no table holds such a union.")
    if isinstance(schema, str):
        if schema in _PLAIN:
            return _PLAIN[schema]
        if schema in known:
            return known[schema]
        raise InputError(f"The Avro file has the type {schema!r}, which contains itself or is unknown.")
    if schema.get("logicalType") == "decimal":
        return pa.decimal128(schema["precision"], schema.get("scale", 0))
    if schema.get("logicalType") in _LOGICAL:
        return _LOGICAL[schema["logicalType"]]
    made = _nested(schema, known)
    if "name" in schema:
        known[schema["name"]] = made
    return made


def _nested(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    kind = schema["type"]
    if kind == "record":
        return pa.struct([pa.field(field["name"], _type(field["type"], known)) for field in schema["fields"]])
    if kind == "array":
        return pa.list_(_type(schema["items"], known))
    if kind == "map":
        return pa.map_(pa.string(), _type(schema["values"], known))
    return _type(kind, known)
