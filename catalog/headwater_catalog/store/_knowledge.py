"""What a run told of a table besides lineage, into the database: checks, size and shape, profiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headwater_catalog.profiles import merged_profiles, profile_json, read_profile

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.knowledge import Knowledge, PartitionFacts, VersionFacts
    from headwater_catalog.model import Partaking, RunFacts

__all__ = ["MERGE", "keep_knowledge", "sum_up"]

_LOCK = 7_700_006


def keep_knowledge(connection: Connection[Any], node: int, facts: RunFacts, part: Partaking, way: str) -> None:
    """Keep what a run told of a table; what it wrote only once it has written.

    Events of a run come in any order and again, and so do runs: what is newer stays.
    """
    knowledge, at = part.knowledge, facts.ended or facts.last
    _keep_checks(connection, node, facts, knowledge)
    if way == "in" or not facts.effective:
        return
    if knowledge.version is not None:
        _keep_version(connection, (node, facts.run, at, part.snapshot), knowledge.version)
    if knowledge.partitions:
        # Runs of other partitions wait, so that none of them is left out of the sum.
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", (_LOCK, node))
        for one in knowledge.partitions:
            _keep_partition(connection, (node, facts.run, at), one)
        _forget_former_cut(connection, node)
        sum_up(connection, node)


def _keep_checks(connection: Connection[Any], node: int, facts: RunFacts, knowledge: Knowledge) -> None:
    at = facts.ended or facts.last
    rows = [
        (node, facts.run, one.name, list(one.columns), at, one.passed, one.blocking, one.promise, one.broken,
         one.total, facts.partition)
        for one in knowledge.checks
    ]  # fmt: skip
    if rows:
        connection.cursor().executemany(_CHECK, rows)


def _keep_version(connection: Connection[Any], who: tuple[int, str, datetime, str], told: VersionFacts) -> None:
    node, _, at, _ = who
    connection.execute(_VERSION, (*who, told.operation, told.rows, told.bytes, told.files))
    if told.kept:
        connection.execute(_GONE, {"node": node, "at": at, "kept": list(told.kept), "oldest": told.oldest})


def _keep_partition(connection: Connection[Any], who: tuple[int, str, datetime], told: PartitionFacts) -> None:
    node, run, at = who
    profile = json.dumps(profile_json(told.profile)) if told.profile else None
    connection.execute(_PART, (node, told.key, run, at, told.rows, told.bytes, told.files, profile))


def _forget_former_cut(connection: Connection[Any], node: int) -> None:
    """Forget partitions from before a table was cut otherwise: whole tables have one without a key."""
    connection.execute(
        """DELETE FROM part WHERE node_id = %(node)s AND (key = '') <>
             (SELECT key = '' FROM part WHERE node_id = %(node)s ORDER BY at DESC, key LIMIT 1)""",
        {"node": node},
    )


def sum_up(connection: Connection[Any], node: int) -> None:
    """Add up the profiles of all partitions, where each has one: reading a page must not."""
    parts = connection.execute("SELECT rows, profile FROM part WHERE node_id = %s ORDER BY at, key", (node,)).fetchall()
    connection.execute("DELETE FROM profile WHERE node_id = %s", (node,))
    profiles = [read_profile(profile) for _, profile in parts]
    known = [one for one in profiles if one is not None]
    if known and len(known) == len(profiles):
        counts = [rows for rows, _ in parts]
        rows = None if None in counts else sum(counts)
        told = json.dumps(profile_json(merged_profiles(known)))
        connection.execute("INSERT INTO profile VALUES (%s, %s, %s, %s)", (node, rows, len(parts), told))


_CHECK = """
INSERT INTO check_result VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (node_id, run_id, name, columns) DO UPDATE SET at = excluded.at, passed = excluded.passed,
  blocking = excluded.blocking, promise = excluded.promise, broken = excluded.broken, total = excluded.total,
  partition = excluded.partition
"""

_VERSION = """
INSERT INTO version (node_id, run_id, at, snapshot, operation, rows, bytes, files)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (node_id, run_id) DO UPDATE SET at = excluded.at, snapshot = excluded.snapshot,
  operation = excluded.operation, rows = excluded.rows, bytes = excluded.bytes, files = excluded.files
"""

# A list of snapshots that are there may be cut: then those before the oldest are gone, and those of the list are not.
_GONE = """
UPDATE version SET gone_at = %(at)s
WHERE node_id = %(node)s AND gone_at IS NULL AND snapshot <> '' AND at < %(at)s AND snapshot <> ALL(%(kept)s)
  AND (at < %(oldest)s OR at >= (SELECT min(at) FROM version WHERE node_id = %(node)s AND snapshot = ANY(%(kept)s)))
"""

_PART = """
INSERT INTO part VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (node_id, key) DO UPDATE SET run_id = excluded.run_id, at = excluded.at, rows = excluded.rows,
  bytes = excluded.bytes, files = excluded.files, profile = excluded.profile
WHERE excluded.at >= part.at
"""

# What follows a node that turns out to be another one's new name.
MERGE = (
    "DELETE FROM profile WHERE node_id IN (%(late)s, %(into)s)",
    *(
        f"INSERT INTO {table} SELECT %(into)s, {rest} FROM {table} WHERE node_id = %(late)s ON CONFLICT DO NOTHING"  # noqa: S608
        for table, rest in (
            ("check_result", "run_id, name, columns, at, passed, blocking, promise, broken, total, partition"),
            ("version", "run_id, at, snapshot, operation, rows, bytes, files, gone_at"),
            ("part", "key, run_id, at, rows, bytes, files, profile"),
            ("reading", "query, at, reader, source"),
        )
    ),
    *(f"DELETE FROM {table} WHERE node_id = %(late)s" for table in ("check_result", "version", "part", "reading")),  # noqa: S608
)
