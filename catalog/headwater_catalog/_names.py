"""Reads the forms in which engines write a table's name, each into one normal form. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater import layout
from headwater.table import ZONES, TableName

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Location", "describes", "joined", "parts_of", "read"]

# Connectors and catalogs through which the engines reach the one metastore.
_LAKE_CONNECTORS = frozenset({"iceberg", "hive", "spark_catalog", "awsdatacatalog"})
# Iceberg's metadata tables (``t$files`` in Trino, ``t.files`` in Spark); they describe a table and are none.
_METADATA_TABLES = frozenset(
    [
        "all_data_files",
        "all_delete_files",
        "all_entries",
        "all_files",
        "all_manifests",
        "changes",
        "data_files",
        "delete_files",
        "entries",
        "files",
        "history",
        "manifests",
        "metadata_log_entries",
        "partition_statistics_files",
        "partitions",
        "position_deletes",
        "properties",
        "refs",
        "snapshots",
    ]
)
_REFERENCE = re.compile(r"(branch|tag)_.+|snapshot_id_\d+|at_timestamp_\d+")

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([^."`]+))\s*(?:\.|$)')
_PLAIN = re.compile(r"\w+")
_STORE = re.compile(r"(s3[an]?|gs|abfss?|wasbs?|hdfs|file)://([^/]*)(/.*)?", re.DOTALL)
_URL = re.compile(r"(?P<scheme>trino|hive)://[^/]*/(?P<name>.+)", re.DOTALL)
_GLUE = re.compile(r"arn:[^/]*:glue:[^/]*/table/(?P<database>[^/]+)/(?P<name>[^/]+)")
_ASSET = re.compile(r"(\w+)/(\w+)")
_DATASET = re.compile(r"superset:\d+")
_UNIQUE = re.compile(r"(?P<name>.+)-[0-9a-f]{32}")
_QUOTED = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`')
_FILE = re.compile(r".*\.[A-Za-z0-9]{2,8}")


@dataclass(frozen=True)
class Location:
    """Where something lies.

    Args:
        name: The table that the lake's layout says it belongs to; the folder itself outside the lake.
        root: The table's folder.
        paths: The root and what lies above it, the nearest first, where the path says less than others know.
    """

    name: str
    root: str
    paths: tuple[str, ...]


def read(text: str, bucket: str) -> tuple[str, str | Location]:
    """Return which form a name has, and its normal form."""
    if text[0] in '"`':
        return _dotted(text)
    store = _STORE.fullmatch(text)
    if store:
        return "location", _location(store[1], store[2], store[3] or "", bucket)
    addressed = _addressed(text)
    if addressed:
        return addressed
    return ("other", text) if ":" in _QUOTED.sub("", text) else _dotted(text)


def _addressed(text: str) -> tuple[str, str] | None:
    """Return the name of a table that is written after its server, as an asset key, or as a dataset's id."""
    url, glue, parts = _URL.fullmatch(text), _GLUE.fullmatch(text), _asset(text)
    if url:
        return {"trino": "trino", "hive": "symlink"}[url["scheme"]], _served(url["name"])
    if glue:
        return "symlink", joined((glue["database"], glue["name"]))
    if parts:
        return "asset", joined(parts)
    return ("dataset", text) if _DATASET.fullmatch(text) else None


def joined(parts: Sequence[str]) -> str:
    """Return the normal form of a name's parts: lower case, without connector, stage, branch and metadata table."""
    return ".".join(_quoted(part) for part in _table(tuple(part.lower() for part in parts)))


def _served(text: str) -> str:
    """Return the normal form of what stands after a server: its parts with dots between, which nobody has quoted.

    So whatever stands after a zone is the table's own name, dots and quotes included, unless it reads as quoted.
    """
    kind, name = _dotted(text)
    parts = text.split(".", 2 if text.partition(".")[0].lower() in _LAKE_CONNECTORS else 1)
    if len(parts) < 2 or parts[-2].lower() not in ZONES:  # noqa: PLR2004
        return name
    whole = kind != "other" and len(parts_of(name)) == 2  # noqa: PLR2004
    return name if whole else joined((parts[-2], parts[-1]))


def describes(parts: Sequence[str]) -> bool:
    """Return whether a name's parts are those of a metadata table, whose columns are not the table's own."""
    own = [part.lower() for part in parts]
    if len(own) > 2 and own[0] in _LAKE_CONNECTORS:  # noqa: PLR2004
        own = own[1:]
    last = own[-1] if own else ""
    told = last.rpartition("$")[2] if "$" in last else last if len(own) > 2 else ""  # noqa: PLR2004
    return told in _METADATA_TABLES


def _asset(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            return ()
        good = isinstance(parts, list) and parts and all(isinstance(part, str) and part for part in parts)
        return tuple(parts) if good else ()
    match = _ASSET.fullmatch(text)
    return match.groups() if match else ()


def parts_of(text: str) -> Sequence[str]:
    """Return the parts of a name, without their quotes; none when it is no such name."""
    parts, at = [], 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return ()
        double, tick, plain = match.groups()
        part = double.replace('""', '"') if double else tick.replace("``", "`") if tick else plain.strip()
        if not part:
            return ()
        parts.append(part)
        at = match.end()
    return () if text.endswith(".") else parts


def _dotted(text: str) -> tuple[str, str]:
    parts = parts_of(text)
    if not parts:
        return "other", text
    lake = len(parts) > 2 and parts[0].lower() in _LAKE_CONNECTORS  # noqa: PLR2004 - connector.database.name
    return ("connector" if lake else "name"), joined(parts)


def _table(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return database and name; for a table of another system all parts."""
    if len(parts) > 2 and parts[0] in _LAKE_CONNECTORS:  # noqa: PLR2004
        parts = parts[1:]
    elif len(parts) > 2 and parts[0] not in ZONES:  # noqa: PLR2004
        return parts
    if len(parts) > 2 and (parts[2] in _METADATA_TABLES or _REFERENCE.fullmatch(parts[2])):  # noqa: PLR2004
        parts = parts[:2]
    if len(parts) != 2:  # noqa: PLR2004
        return parts
    base, dollar, metadata = parts[1].rpartition("$")
    return _target(parts[0], base if dollar and base and metadata in _METADATA_TABLES else parts[1])


def _target(database: str, name: str) -> tuple[str, str]:
    for zone in ZONES:
        if zone == database:
            return zone, layout.target_of(TableName(zone, name)).name
    return database, name


def _quoted(part: str) -> str:
    if _PLAIN.fullmatch(part):
        return part
    doubled = part.replace('"', '""')
    return f'"{doubled}"'


def _location(scheme: str, authority: str, path: str, bucket: str) -> Location:
    segments = [segment for segment in path.split("/") if segment]
    start = f"{'s3' if scheme.startswith('s3') else scheme}://{authority}"
    if start == f"s3://{bucket}" and len(segments) > 1 and segments[0] in ZONES:
        unique = _UNIQUE.fullmatch(segments[1])
        name = joined((segments[0], unique["name"] if unique else segments[1]))
        return Location(name, f"{start}/{segments[0]}/{segments[1]}", (f"{start}/{segments[0]}/{segments[1]}",))
    kept = segments[: _root(segments)]
    above = tuple("/".join((start, *kept[:length])) for length in range(len(kept), 0, -1)) or (start,)
    return Location(above[0], above[0], above)


def _root(segments: Sequence[str]) -> int:
    """Return how many segments of a path are the table's own: none of its partitions, metadata and files."""
    for at, segment in enumerate(segments):
        if at == 0:
            continue
        following = segments[at + 1] if at + 1 < len(segments) else ""
        inside = segment == "metadata" or (segment == "data" and (not following or _inner(following)))
        if inside or _inner(segment) or segment.startswith("_"):
            return at
    return len(segments)


def _inner(segment: str) -> bool:
    return "=" in segment or _FILE.fullmatch(segment) is not None
