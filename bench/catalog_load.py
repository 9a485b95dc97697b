"""Loads a made-up catalog into the store's own tables with COPY, as if it had been published and run for three days."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from headwater_catalog.identity import ALWAYS, reference
from headwater_catalog.model import Origin
from headwater_catalog.store._inherited import inherit

from bench.catalog_data import PROJECT, realm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from headwater_catalog.model import Lineage, TableFacts
    from psycopg import Connection

__all__ = ["fill"]

_BUCKET = "lake"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_NIGHTS = 3
_MAKERS = 2
# Ids of a realm begin here, so that none meets those of another or of what the running catalog adds by itself.
_IDS = 100_000_000
_COLUMNS = {
    "node": "id, first_name, born, name, kind, title, doc, owner, domain, tags, place, code, defined, project, "
    "made_at, fresh_within_hours, code_doc, code_owner, code_domain, code_tags",
    "alias": "text, node_id, kind, key, seen_at",
    "column_fact": "node_id, name, origin, position, type, doc, tags, since, until",
    "edge": "id, source_id, target_id, origin, since, seen",
    "column_edge": "edge_id, source_column, target_column, kind, since, seen",
    "run": "id, job_namespace, job_name, state, began_at, ended_at, engine, parent, partition, sql, error",
    "partaking": "run_id, node_id, direction, at, snapshot, rows, bytes",
    "change": "node_id, at, what, detail",
    "word": "node_id, what, text",
}

_TAGGED = b"""INSERT INTO inherit_todo (node_id, column_name)
  SELECT node_id, name FROM column_fact WHERE until IS NULL AND tags <> '{}'"""


def fill(connection: Connection[Any], realms: int) -> dict[str, int]:
    """Load so many realms and return how many rows each table has; indexes are made anew when all is there.

    Args:
        connection: The administrator's, autocommit, in the catalog's database.
        realms: How many, of 10,000 tables each.
    """
    with connection.transaction():
        # Whatever the running catalog is writing, such as its project's definitions, ends first.
        connection.execute(f"LOCK TABLE {', '.join(_COLUMNS)} IN ACCESS EXCLUSIVE MODE".encode())
        connection.execute("SET LOCAL session_replication_role = replica")  # what is loaded fits, so nothing is checked
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = _drop_indexes(connection)
        # Making the rows takes longer than storing them, so the next realms are made meanwhile.
        with ProcessPoolExecutor(_MAKERS, get_context("spawn")) as makers:
            for made in makers.map(_made, range(realms)):
                for table, text in made.items():
                    with connection.cursor().copy(f"COPY {table} ({_COLUMNS[table]}) FROM STDIN".encode()) as copy:
                        copy.write(text)
        connection.execute("SET LOCAL work_mem = '256MB'")
        connection.execute("SELECT index_words(array_agg(id)) FROM node")  # the triggers do nothing meanwhile
        connection.execute(_TAGGED)
        for statement in indexes:
            connection.execute(statement.encode())
        for table in ("node", "edge"):
            last = f"(SELECT max(id) FROM {table})"  # noqa: S608 - our own names
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})".encode())
    connection.execute("VACUUM ANALYZE")
    more = True
    while more:
        with connection.transaction():
            more = inherit(connection)
    connection.execute("VACUUM ANALYZE inherited")
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0]  # noqa: S608 - our own names
        for table in _COLUMNS
    }


def _drop_indexes(connection: Connection[Any]) -> list[str]:
    """Drop what no constraint needs and return what makes it again."""
    found = connection.execute(
        """SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i
           JOIN pg_class AS c ON c.oid = i.indrelid
           WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
             AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)""",
        ([*_COLUMNS, "document", "lexeme"],),
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}".encode())
    return [definition for _, definition in found]


def _made(number: int) -> dict[str, bytes]:
    """Return a realm as COPY takes it."""
    return {table: _text(rows) for table, rows in _Rows(number).of(list(realm(number))).items()}


def _text(rows: Iterable[tuple[Any, ...]]) -> bytes:
    # No text of a made-up catalog holds what COPY would want escaped.
    return "".join("\t".join([_PLAIN[type(one)](one) for one in row]) + "\n" for row in rows).encode()


_PLAIN: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    float: str,
    bool: str,
    Origin: str,
    type(None): lambda _: "\\N",
    list: lambda found: f"{{{','.join(found)}}}",
    datetime: datetime.isoformat,
}


class _Rows:
    """One realm's rows; most tables were seen to run as they are defined, some to read a table more."""

    def __init__(self, number: int) -> None:
        self._draw = random.Random(number)  # noqa: S311 - nothing secret
        self._node, self._edge = (count(_IDS * (number + 1)) for _ in range(2))
        self._ids: dict[str, int] = {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}

    def of(self, facts: Sequence[TableFacts]) -> dict[str, list[tuple[Any, ...]]]:
        self._ids = {one.name: next(self._node) for one in facts}
        for one in facts:
            self._table(one)
            for origin, lineage in one.lineage:
                self._lineage(one.name, origin, lineage, _BEGAN)
            parsed = [lineage for origin, lineage in one.lineage if origin == Origin.PARSED]
            if parsed and one.kind == "table":
                self._lineage(one.name, Origin.OBSERVED, parsed[0], _BEGAN + timedelta(days=_NIGHTS))
            if one.kind == "table":
                self._runs(one)
        return self._rows

    def _table(self, one: TableFacts) -> None:
        node, rows = self._ids[one.name], self._rows
        said = (one.doc, one.owner, one.domain, list(one.tags))
        described = (*said, one.place, one.code, True, PROJECT, _BEGAN, 24.0, *said)
        rows["node"].append((node, one.name, ALWAYS, one.name, one.kind, one.title, *described))
        rows["alias"] += [(*known, node, *how, _BEGAN) for known, how in self._aliases(one)]
        rows["column_fact"] += [
            (node, each.name, Origin.DECLARED, at, each.type, each.doc, list(each.tags), _BEGAN, None)
            for at, each in enumerate(one.columns)
        ]
        rows["change"] += [(node, _BEGAN, "defined", one.place)]
        rows["word"] += sorted({(node, what, text) for what, text in _words(one) if text})

    def _aliases(self, one: TableFacts) -> Iterator[tuple[tuple[str], tuple[str, str]]]:
        zone, _, base = one.name.partition(".")
        names = (one.name, f"iceberg.{one.name}", f"s3://{_BUCKET}/{zone}/{base}", f"s3a://{_BUCKET}/{zone}/{base}")
        for text in names if one.kind == "table" else (one.name,):
            read = reference(text, _BUCKET)
            yield (read.kept,), (read.kind, read.learnable)

    def _lineage(self, name: str, origin: str, lineage: Lineage, seen: datetime) -> None:
        columns = defaultdict(list)
        for edge in lineage.columns:
            columns[edge.source].append(edge)
        for source in lineage.sources:
            number = next(self._edge)
            self._rows["edge"].append((number, self._ids[source], self._ids[name], origin, _BEGAN, seen))
            self._rows["column_edge"] += [
                (number, one.source_column, one.target_column, one.kind.value, _BEGAN, seen) for one in columns[source]
            ]

    def _runs(self, one: TableFacts) -> None:
        sources = one.lineage[0][1].sources
        for night in range(_NIGHTS):
            run = f"{zlib.crc32(one.name.encode()):08x}-{night:04x}-4000-8000-{self._ids[one.name]:012x}"
            began = _BEGAN + timedelta(days=night, minutes=self._draw.random() * 600)
            state = "FAIL" if self._draw.random() < 0.01 else "COMPLETE"  # noqa: PLR2004
            ended = began + timedelta(minutes=3)
            engine = self._draw.choice(("spark 4.1.3", "trino 483"))
            told = (
                "bench",
                f"write {one.name}",
                state,
                began,
                ended,
                engine,
                "",
                f"2026-01-0{night + 1}",
                one.code,
                "",
            )
            self._rows["run"].append((run, *told))
            parts: list[tuple[Any, ...]] = [(source, "in", "", None, None) for source in sources]
            parts.append((one.name, "out", str(9_000_000_000 + self._ids[one.name] * 10 + night), 1000, 100_000))
            self._rows["partaking"] += [(run, self._ids[name], way, ended, *rest) for name, way, *rest in parts]


def _words(one: TableFacts) -> Iterator[tuple[str, str]]:
    yield from (
        ("name", one.name),
        ("title", one.title),
        ("doc", one.doc),
        ("owner", one.owner),
        ("domain", one.domain),
    )
    yield from (("tag", tag) for tag in one.tags)
    for column in one.columns:
        yield from (("column", column.name), ("column doc", column.doc))
