"""Where a table's rows come from: the very runs, snapshots and files, told from what runs told of themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import WHOLE_TABLE
from headwater_catalog.store._runs import HEADWATERS
from headwater_catalog.store._told import Told, told_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.store._nodes import Nodes

__all__ = ["Explainer"]

# Stands for the one partition of a table without partitions.
_WHOLE = ""


@dataclass(frozen=True)
class _State:
    """A table as it was: at a moment, some of its partitions, so many steps away.

    Args:
        node: The table.
        at: The moment.
        keys: The partitions that count; None for all.
        steps: From what was asked for.
        columns: The columns that count; None for all, and where it is not known which.
        certain: It is known to be what was read, not only what was there by then.
    """

    node: int
    at: datetime
    keys: frozenset[str] | None
    steps: int
    columns: frozenset[str] | None = None
    certain: bool = True


@dataclass
class Explainer:
    """Walks from a table's rows back to files, write by write.

    Args:
        connection: In a transaction of the caller's.
        nodes: Finds tables by name.
        depth: Steps at most.
        limit: Writes at most.
    """

    connection: Connection[Any]
    nodes: Nodes
    depth: int
    limit: int
    cut: bool = False
    _found: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    _files: list[dict[str, Any]] = field(default_factory=list)

    def walk(self, node: int, at: datetime, *, partition: str, column: str) -> dict[str, Any]:
        """Return every write that made the rows of a table, or those that a chart shows, and the files at the end.

        Args:
            node: The table, chart or dashboard.
            at: The moment.
            partition: One partition's key; empty for all.
            column: Only what this one is made of; empty for all.
        """
        keys = frozenset((partition,)) if partition else None
        asked = _State(node, at, keys, 0, columns=frozenset((column,)) if column else None)
        frontier = [asked]
        if behind := self._rows(_BEHIND, {"node": node}):
            frontier = [one for row in behind if (one := self._source(asked, row["id"], at, keys, steps=0))]
        while frontier and not self.cut:
            following = [found for state in frontier for found in self._step(state)]
            frontier = [one for one in following if one.steps <= self.depth]
            self.cut |= len(frontier) < len(following)
        writes = sorted(self._found.values(), key=lambda one: (one["steps"], one["table"], one["partitions"]))
        self._files.sort(key=lambda one: (one["table"], one["partition"], one["name"]))
        return {"writes": writes, "files": self._files, "cut": self.cut}

    def _step(self, state: _State) -> Iterator[_State]:
        for write, keys, told in self._made_by(state):
            known = self._found.get((state.node, write["run"]))
            if known is None and len(self._found) >= self.limit:
                self.cut = True
                return
            new = keys - {_WHOLE, *known["partitions"]} if known else keys
            self._add_files(write, told, new)
            if known:
                known["partitions"] = sorted({*known["partitions"], *new})
                known["rows"] = told.rows_of(known["partitions"], known["rows"])
                known["certain"] &= state.certain
            else:
                named = sorted(filter(None, keys))
                row = {"steps": state.steps, "partitions": named, "certain": state.certain}
                self._found[state.node, write["run"]] = {**write, **row, "rows": told.rows_of(named, write["rows"])}
            if new:
                yield from self._read(state, write, told, new)

    def _made_by(self, state: _State) -> Iterator[tuple[dict[str, Any], set[str], Told]]:
        """Yield the writes whose rows a state holds, the newest first, with the partitions that are theirs.

        A write covers what older ones made of the same partitions, but for one that appended.
        """
        covered: set[str] = set()
        oldest = None
        for write in self._rows(_PUBLISHED, {"node": state.node, "at": state.at}):
            keys = {key for key in write.pop("partition").split(", ") if key not in covered}
            keys = keys if state.keys is None else keys & (state.keys | {_WHOLE})
            if not keys:
                continue
            told, oldest = told_of(self.connection, write["run"]), write["at"]
            yield {**write, "how": "published"}, keys, told
            covered |= set() if told.appended else keys
            if _WHOLE in covered or (state.keys is not None and state.keys <= covered):
                break
        for write in self._rows(_BY_HAND, {"node": state.node, "at": state.at, "since": oldest}):
            del write["partition"]
            yield {**write, "how": "by hand"}, {_WHOLE}, Told()

    def _read(self, state: _State, write: Mapping[str, Any], told: Told, made: set[str]) -> Iterator[_State]:
        """Yield what a write read to make some partitions; where it did not tell, what was there by then."""
        if told.reads is None:
            sources = self._rows(_INPUTS, {"run": write["run"]}) or self._rows(
                _SOURCES, {"node": state.node, "at": write["at"]}
            )
            told_reads = [{"node": one["id"], "snapshot": one["snapshot"]} for one in sources]
        else:
            told_reads = [{**one, "node": self.nodes.find(str(one["table"]), write["began_at"])} for one in told.reads]
        for read in told_reads:
            node, snapshot = read["node"], str(read["snapshot"])
            if node is None or node == state.node:
                continue
            at = self._moment(node, snapshot) or write["began_at"]
            # Partitions are named where each was made of the same one of the other table.
            keys = frozenset(map(str, read.get("partitions", ()))) & made or None
            found = self._source(state, node, at, keys, steps=state.steps + 1)
            if found is not None:
                yield replace(found, certain=state.certain and bool(snapshot or read.get("loads")))

    def _source(
        self, state: _State, node: int, at: datetime, keys: frozenset[str] | None, *, steps: int
    ) -> _State | None:
        """Return a table that a state is made of, or None when none of the columns that count is made of it.

        A column that decides which rows there are counts for every column; where no column of the two is known to have
        to do with the other, all may.
        """
        if state.columns is None or node == state.node:
            return _State(node, at, keys, steps, columns=state.columns)
        edges = self._rows(_COLUMNS, {"source": node, "target": state.node})
        made = frozenset(one["source_column"] for one in edges if one["target_column"] in {*state.columns, WHOLE_TABLE})
        if edges and not made:
            return None
        return _State(node, at, keys, steps, columns=made or None)

    def _moment(self, node: int, snapshot: str) -> datetime | None:
        """Return when a snapshot became what readers see."""
        if not snapshot:
            return None
        found = self._rows(_SNAPSHOT, {"node": node, "snapshot": snapshot})
        return found[0]["at"] if found else None

    def _add_files(self, write: Mapping[str, Any], told: Told, keys: set[str]) -> None:
        for load in told.loads:
            if load["partition"] in keys or keys == {_WHOLE}:
                self._files += [
                    {
                        "table": write["table"],
                        "partition": load["partition"],
                        **{name: file[name] for name in ("name", "size", "lines", "sha256")},
                        "location": load["location"],
                        "run": write["run"],
                    }
                    for file in load["files"]
                ]

    def _rows(self, statement: bytes, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement, values)
        names = [one.name for one in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


_WRITE = """
SELECT n.name AS table, r.id AS run, r.parent AS part_of, r.job_name AS job, r.engine, r.partition, r.began_at, p.at,
  p.snapshot, p.rows, p.bytes
FROM partaking AS p JOIN run AS r ON r.id = p.run_id JOIN node AS n ON n.id = p.node_id
WHERE p.node_id = %(node)s AND p.direction = 'out' AND p.at <= %(at)s"""

# The write path counts rows whenever it publishes; a load that found its files in place does not.
_PUBLISHED = f"""{_WRITE} AND {HEADWATERS} AND r.state = 'COMPLETE' AND p.rows IS NOT NULL
ORDER BY p.at DESC, r.id LIMIT 2000""".encode()

# A stage's snapshot is not kept, and its name stands in its statement, or in that of Spark's job: what is left, nobody
# has published.
_BY_HAND = f"""{_WRITE} AND NOT {HEADWATERS} AND r.state IN ('COMPLETE', 'RUNNING')
  AND (%(since)s::timestamptz IS NULL OR p.at > %(since)s) AND (p.snapshot <> '' OR r.sql <> '')
  AND position('__stage_' IN r.sql) = 0 AND position('__stage_' IN r.job_name) = 0
ORDER BY p.at DESC, r.id LIMIT 100""".encode()

_INPUTS = b"""
SELECT n.id, p.snapshot FROM partaking AS p JOIN node AS n ON n.id = p.node_id
WHERE p.run_id = %(run)s AND p.direction = 'in' AND n.kind = 'table' ORDER BY n.name
"""

_SOURCES = b"""
SELECT DISTINCT n.id, '' AS snapshot FROM edge AS e JOIN node AS n ON n.id = e.source_id
WHERE e.target_id = %(node)s AND n.kind = 'table' AND e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s)
"""

_SNAPSHOT = b"""
SELECT at FROM partaking WHERE node_id = %(node)s AND snapshot = %(snapshot)s AND direction = 'out' ORDER BY at LIMIT 1
"""

_COLUMNS = b"""
SELECT DISTINCT c.source_column, c.target_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
WHERE e.source_id = %(source)s AND e.target_id = %(target)s AND e.until IS NULL AND c.until IS NULL
"""

# The tables that a chart or dashboard shows; none for a table.
_BEHIND = b"""
WITH RECURSIVE behind AS (
  SELECT id, kind FROM node WHERE id = %(node)s
  UNION SELECT n.id, n.kind FROM behind AS b JOIN edge AS e ON e.target_id = b.id AND e.until IS NULL
    JOIN node AS n ON n.id = e.source_id WHERE b.kind IN ('chart', 'dashboard')
)
SELECT id FROM behind WHERE kind = 'table' AND id <> %(node)s ORDER BY id
"""
