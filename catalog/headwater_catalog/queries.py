"""Trino's word on a query that is over: who ran it, and what it read. Pure.

Trino's lineage events tell neither of what only reads nor of who asks; what its HTTP event listener sends does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_catalog._facets import listed, moment, text
from headwater_catalog.openlineage import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Query", "read_query"]

_OURS = ("hive", "iceberg")


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query that read tables.

    Args:
        id: Trino's id of it.
        at: When it ended.
        reader: The login that ran it.
        source: The program that it came from, as it calls itself.
        tables: What it read, as ``connector.zone.name``.
    """

    id: str
    at: datetime
    reader: str
    source: str
    tables: tuple[str, ...]


def read_query(body: bytes) -> Query | None:
    """Return a query that is over, or None when it failed or read no table of the lake.

    Raises:
        InvalidEvent: It is no such message.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"The message is no JSON: {error}.") from error
    about, who, at = _part(told, "metadata"), _part(told, "context"), moment(_part(told).get("endTime"))
    query = text(about.get("queryId"))
    if not query or at is None:
        raise InvalidEvent("The message is no completed query of Trino: it has no metadata.queryId or endTime.")
    names = tuple(dict.fromkeys(_name(one) for one in listed(about.get("tables")) if _is_read(one)))
    if about.get("queryState") != "FINISHED" or not names:
        return None
    return Query(id=query, at=at, reader=text(who.get("user")), source=text(who.get("source")), tables=names)


def _part(told: object, name: str = "") -> Mapping[str, Any]:
    found = told.get(name) if name and isinstance(told, dict) else told
    return found if isinstance(found, dict) else {}


def _is_read(table: Mapping[str, Any]) -> bool:
    """Return whether a query names a table itself: a stage of the write path is nobody's to read."""
    name, schema = text(table.get("table")), text(table.get("schema"))
    ours = text(table.get("catalog")) in _OURS and schema not in ("", "information_schema", "system")
    return ours and table.get("directlyReferenced") is not False and "__stage_" not in name and "$" not in name


def _name(table: Mapping[str, Any]) -> str:
    return ".".join(text(table.get(part)) for part in ("catalog", "schema", "table"))
