"""Where a table lives: locations, stages, raw loads, and the way back from each. Pure.

    s3://BUCKET/ZONE/NAME                                   a table
    s3://BUCKET/ZONE/NAME/_stage<token>                     a stage of it
    s3://BUCKET/raw/NAME/<column>=<value>/load=<id>/        one load of a raw table's partition
    s3://BUCKET/raw/NAME/load=<id>/                         one load of a raw table without partitions
    ZONE.NAME__stage_<token>                                the stage's name in the metastore

A stage's names carry its table's, so that whoever meets one in a log or a lineage event finds the table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote, unquote

from headwater.dialects import quoted
from headwater.table import ZONES, Partitioning, Table, TableName

__all__ = [
    "MAX_NAME",
    "UPKEEP",
    "Load",
    "Place",
    "RelationFor",
    "is_copy",
    "is_of_stage",
    "is_stage",
    "load_prefix",
    "location",
    "parse_load",
    "parse_location",
    "partition_value",
    "relation_name",
    "stage_location",
    "stage_name",
    "stage_token",
    "target_of",
]

# Gives the name under which an engine reads a table, in that engine's own quoting.
RelationFor = Callable[[Table], str]

# The Hive Metastore's limit on a table's name.
MAX_NAME = 128

# Begins the token of a stage that holds a copy of the table's own rows: `headwater maintain` puts files together.
UPKEEP = "maintain"

_TOKEN_LENGTH = 20
_TOKEN = rf"[a-z0-9]{{1,{_TOKEN_LENGTH}}}"
_STAGE_NAME = re.compile(rf"(?P<target>.+?)__stage_(?P<token>{_TOKEN})")
_OF_STAGE = re.compile(rf"(?:__stage_|/_stage){_TOKEN}(?![a-z0-9])")
_COPY = re.compile(rf"(?:__stage_|/_stage){UPKEEP}[0-9a-f]{{12}}(?![a-z0-9])")
_LOAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACE = re.compile(
    rf"s3[an]?://(?P<bucket>[^/]+)/(?P<zone>{'|'.join(ZONES)})/(?P<name>[a-z][a-z0-9_]*)"
    rf"(?:/_stage(?P<token>{_TOKEN}))?(?P<rest>/.*)?",
    re.DOTALL,
)
_LOAD = re.compile(r"/(?:(?P<column>[a-z][a-z0-9_]*)=(?P<value>[^/]+)/)?load=(?P<id>[^/=]+)(?:/.*)?", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """What a location in the lake belongs to.

    Args:
        bucket: The bucket.
        table: The table, also when the location is inside one of its stages.
        stage: The stage's token; empty outside stages.
        rest: The path below the table or stage, beginning with a slash, or empty.
    """

    bucket: str
    table: TableName
    stage: str = ""
    rest: str = ""


@dataclass(frozen=True)
class Load:
    """One load of a raw table: the files that one arrival put into one partition.

    Args:
        id: Made by the loader.
        column: The partition column; empty for a table without partitions.
        value: The partition's value as text, e.g. ``2019`` or ``2020-01-01``.
    """

    id: str
    column: str = ""
    value: str = ""


def location(bucket: str, table: TableName) -> str:
    """Return where a table's files lie, without a closing slash."""
    return f"s3://{bucket}/{table.zone}/{table.name}"


def relation_name(name: TableName, dialect: str) -> str:
    """Return ``zone.name`` in a dialect's quotes: how an engine reads a table where its session's connector is set."""
    return f"{quoted(name.zone, dialect)}.{quoted(name.name, dialect)}"


def stage_token(run: str) -> str:
    """Return a run id as lower-case letters and digits, at most 20.

    A longer id, or one with other characters, is shortened with a digest, so that different runs stay different.
    """
    plain = re.sub(r"[^a-z0-9]", "", run.lower())
    if run == plain and 0 < len(plain) <= _TOKEN_LENGTH:
        return plain
    digest = hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain[:8]}{digest}"[:_TOKEN_LENGTH]


def stage_name(table: TableName, run: str) -> TableName:
    """Return the metastore's name of a run's stage of a table."""
    return replace(table, name=f"{table.name}__stage_{stage_token(run)}")


def stage_location(bucket: str, table: TableName, run: str) -> str:
    """Return where a run's stage of a table lies, below the table itself."""
    return f"{location(bucket, table)}/_stage{stage_token(run)}"


def is_stage(table: TableName) -> bool:
    """Return whether a name in the metastore is that of a stage."""
    return _STAGE_NAME.fullmatch(table.name) is not None


def is_of_stage(text: str) -> bool:
    """Return whether a table's name or a location, in any form, is of a stage."""
    return _OF_STAGE.search(text) is not None


def is_copy(text: str) -> bool:
    """Return whether a table's name or a location, in any form, is of a stage that holds its table's own rows."""
    return _COPY.search(text) is not None


def target_of(stage: TableName) -> TableName:
    """Return the table that a stage belongs to; a table that is no stage is returned as it is."""
    match = _STAGE_NAME.fullmatch(stage.name)
    return replace(stage, name=match["target"]) if match else stage


def load_prefix(bucket: str, table: TableName, load: Load) -> str:
    """Return the folder of one load of a raw table, with a closing slash.

    Raises:
        ValueError: The load's id would not survive as one folder name, or its partition has no value.
    """
    if load.column and not load.value:
        raise ValueError(f"Load {load.id} of {table} has no value for {load.column}.")
    if not _LOAD_ID.fullmatch(load.id):
        raise ValueError(f"Load id {load.id!r} is not usable; use letters, digits, dots, dashes and underscores.")
    partition = f"{load.column}={quote(load.value, safe='')}/" if load.column else ""
    return f"{location(bucket, table)}/{partition}load={load.id}/"


def parse_load(uri: str) -> Load | None:
    """Return the load that a file or folder of a raw table belongs to, or None."""
    place = parse_location(uri)
    match = _LOAD.fullmatch(place.rest) if place and not place.stage else None
    if match is None or not _LOAD_ID.fullmatch(match["id"]):
        return None
    return Load(match["id"], match["column"] or "", unquote(match["value"] or ""))


def parse_location(uri: str) -> Place | None:
    """Return what an ``s3://`` or ``s3a://`` location belongs to, or None outside the lake's zones."""
    match = _PLACE.fullmatch(uri)
    if match is None:
        return None
    zone = next(zone for zone in ZONES if zone == match["zone"])
    return Place(match["bucket"], TableName(zone, match["name"]), match["token"] or "", match["rest"] or "")


def partition_value(partitioning: Partitioning, text: str) -> int | date | str:
    """Return the typed value of a partition folder's text, the reverse of ``str`` on that value."""
    if partitioning.type == "int":
        return int(text)
    return date.fromisoformat(text) if partitioning.type == "date" else text
