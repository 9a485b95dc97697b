"""What the names of simple types, as Trino and Athena say them alike, are in Arrow."""

from __future__ import annotations

__all__ = ["NAMED"]

# Each is a function of pyarrow's by its name, for pyarrow is slow to import.
NAMED = {
    "boolean": "bool_",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "int": "int32",
    "bigint": "int64",
    "real": "float32",
    "double": "float64",
    "varbinary": "binary",
    "date": "date32",
}
