"""Arrow's types as Hive and Spark write them. Pure but for pyarrow's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["hive_type", "spark_schema"]

# What both call by one word each: pyarrow's word, Hive's, Spark's.
_PLAIN = {
    "bool": ("boolean", "boolean"),
    "int8": ("tinyint", "byte"),
    "int16": ("smallint", "short"),
    "int32": ("int", "integer"),
    "int64": ("bigint", "long"),
    "uint8": ("smallint", "short"),
    "uint16": ("int", "integer"),
    "uint32": ("bigint", "long"),
    "float": ("float", "float"),
    "double": ("double", "double"),
    "string": ("string", "string"),
    "large_string": ("string", "string"),
    "null": ("string", "string"),
    "binary": ("binary", "binary"),
    "large_binary": ("binary", "binary"),
    "date32[day]": ("date", "date"),
}


def hive_type(kind: Any) -> str | None:
    """Return a type as the metastore writes it, such as ``struct<a:int>``; None for one that Hive does not have."""
    import pyarrow.types as kinds  # noqa: PLC0415 - slow to import

    if kinds.is_struct(kind):
        inner = [(field.name, hive_type(field.type)) for field in kind]
        whole = all(name.isidentifier() and said for name, said in inner)
        return f"struct<{','.join(f'{name.lower()}:{said}' for name, said in inner)}>" if whole and inner else None
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        said = hive_type(kind.value_type)
        return said and f"array<{said}>"
    if kinds.is_map(kind):
        key, said = hive_type(kind.key_type), hive_type(kind.item_type)
        return f"map<{key},{said}>" if key and said else None
    return _scalar(kind, 0)


def spark_schema(columns: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return columns of types that Hive has as Spark's schema, which is written as JSON."""
    return {"type": "struct", "fields": [_field(name, kind) for name, kind in columns]}


def _field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": _spark(kind), "nullable": True, "metadata": {}}


def _spark(kind: Any) -> Any:
    import pyarrow.types as kinds  # noqa: PLC0415

    if kinds.is_struct(kind):
        return spark_schema([(field.name, field.type) for field in kind])
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return {"type": "array", "elementType": _spark(kind.value_type), "containsNull": True}
    if kinds.is_map(kind):
        pair = {"keyType": _spark(kind.key_type), "valueType": _spark(kind.item_type)}
        return {"type": "map", **pair, "valueContainsNull": True}
    return _scalar(kind, 1)


def _scalar(kind: Any, at: int) -> str | None:
    import pyarrow.types as kinds  # noqa: PLC0415

    if kinds.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if kinds.is_timestamp(kind):
        return "timestamp"
    if kinds.is_dictionary(kind):
        return _scalar(kind.value_type, at)
    if kinds.is_fixed_size_binary(kind):
        return "binary"
    return _PLAIN[str(kind)][at] if str(kind) in _PLAIN else None
