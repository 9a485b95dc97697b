"""One query: run it, put its result into the store, and say how it ended."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_aws_api.athena._metadata import metadata_file
from headwater_aws_api.athena._rows import csv_line, text_line
from headwater_aws_api.athena._statements import Context, Kind, Steps, classified, for_trino
from headwater_aws_api.athena._text import ResultColumn, column_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headwater.storage import Storage

    from headwater_aws_api.athena._trino import Asked, Trino

__all__ = ["Outcome", "Runner", "Table"]

_IN_MEMORY = 4 * 1024 * 1024
# A result that Trino's rows go to as CSV; all others are text.
_CSV = ("SELECT",)


@dataclass(frozen=True)
class Table:
    """The result of a statement that Glue answers.

    Args:
        columns: Names and Athena's types.
        rows: Texts.
    """

    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[str | None]] = ()


@dataclass(frozen=True)
class Outcome:
    """How a query went.

    Args:
        output: The object with its result.
        columns: Of the result.
        csv: Whether it is CSV with a line of names; else text.
        updated: Rows that it wrote, where that is known.
        manifest: The object that lists new files; empty where there is none.
        engine_millis: How long it ran.
    """

    output: str
    columns: Sequence[ResultColumn] = ()
    csv: bool = False
    updated: int | None = None
    manifest: str = ""
    engine_millis: int = 0


@dataclass(frozen=True)
class Runner:
    """What runs queries.

    Args:
        trino: For what is Trino's.
        hive: For what is Hive's: does a statement and returns what it tells.
        storage: Takes results.
    """

    trino: Trino
    hive: Callable[[str, str], Table]
    storage: Storage

    def run(self, sql: str, context: Context, asked: Asked, limit: int | None = None) -> Outcome:
        """Run a query to its end.

        Args:
            sql: The statement; none has an empty result.
            context: What its names mean, and where its result goes.
            asked: To stop it by.
            limit: The most bytes that it may read.

        Raises:
            AwsError: It failed or was stopped.
        """
        began, kind = time.monotonic(), classified(sql)
        if not sql:
            outcome = self._told(Table(), context)
        elif kind.hive:
            outcome = self._told(self.hive(sql, context.database), context)
        else:
            steps = for_trino(sql, kind, context)
            session = dict(steps.session) | ({"query_max_scan_physical_bytes": f"{limit}B"} if limit else {})
            outcome = self._asked(steps, kind, context, asked, session)
        return Outcome(**{**vars(outcome), "engine_millis": int((time.monotonic() - began) * 1000)})

    def _asked(self, steps: Steps, kind: Kind, context: Context, asked: Asked, session: dict[str, str]) -> Outcome:
        if steps.rows:
            with self.trino.rows(steps.sql, asked, database=context.database, session=session) as (columns, rows, _):
                return self._kept(columns, rows, context, csv=kind.sub in _CSV)
        try:
            updated = self.trino.run(steps.sql, asked, database=context.database, session=session)
        finally:
            if steps.after:
                self.trino.run(steps.after, type(asked)(), database=context.database, session={})
        return self._written(steps, kind, context, updated)

    def _kept(
        self, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], context: Context, *, csv: bool
    ) -> Outcome:
        described = [column_of(name, kind) for name, kind in columns]
        texts = ([text_of(value, kind) for value, (_, kind) in zip(row, columns, strict=True)] for row in rows)
        return self._put(described, texts, context, csv=csv)

    def _told(self, table: Table, context: Context) -> Outcome:
        return self._put([ResultColumn(name, kind) for name, kind in table.columns], table.rows, context, csv=False)

    def _put(
        self,
        columns: Sequence[ResultColumn],
        rows: Iterable[Sequence[str | None]],
        context: Context,
        *,
        csv: bool,
    ) -> Outcome:
        output = f"{context.output}.{'csv' if csv else 'txt'}"
        line = csv_line if csv else text_line
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            if csv:
                file.write(csv_line([one.name for one in columns]))
            for row in rows:
                file.write(line(row))
            file.seek(0)
            self.storage.put(output, file)
        self.storage.put(f"{output}.metadata", metadata_file(columns))
        return Outcome(output, columns, csv=csv)

    def _written(self, steps: Steps, kind: Kind, context: Context, updated: int | None) -> Outcome:
        output, manifest = context.output, ""
        if steps.written:
            manifest = f"{output}-manifest.csv"
            files = [one.uri for one in self.storage.objects(steps.written) if one.size]
            self.storage.put(manifest, "".join(f"{uri}\n" for uri in files).encode())
        self.storage.put(f"{output}.metadata", metadata_file([]))
        counted = updated if kind.sub in ("INSERT", "UPDATE", "DELETE", "MERGE") else None
        return Outcome(output, manifest=manifest, updated=counted)
