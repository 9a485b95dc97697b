"""Whether a table can lie over Parquet files as they came. Every engine must read them as the copy would be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headwater.files._types import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.files._find import Source
    from headwater.files._plan import Planned

__all__ = ["can_lie_over"]

_SAFE = re.compile(r"[A-Za-z0-9_./-]+")
_ALIKE = {
    "BOOLEAN": "bool", "INTEGER": "int32", "BIGINT": "int64", "FLOAT": "float", "DOUBLE": "double", "VARCHAR": "string",
    "DATE": "date32[day]", "TIMESTAMP": "timestamp[us]", "TIMESTAMPTZ": "timestamp[us, tz=UTC]", "BLOB": "binary",
}  # fmt: skip


def can_lie_over(sources: Sequence[Source], columns: Sequence[Planned]) -> bool:
    """Return whether names and types are already those of the table; nested columns are always copied."""
    if any(one.kind not in _ALIKE or one.field.name != one.field.given for one in columns):
        return False
    if any(one.field.value != quoted(one.field.given) for one in columns):
        return False
    return all(_is_plain(source, [_ALIKE[one.kind] for one in columns]) for source in sources)


def _is_plain(source: Source, kinds: list[str]) -> bool:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    footer = pq.read_metadata(source.path)
    physical = {footer.schema.column(at).physical_type for at in range(len(footer.schema))}
    schema = footer.schema.to_arrow_schema()
    ids = any(b"PARQUET:field_id" in (one.metadata or {}) for one in schema)
    same = [str(one.type) for one in schema] == kinds
    return same and not ids and "INT96" not in physical and _SAFE.fullmatch(source.name) is not None
