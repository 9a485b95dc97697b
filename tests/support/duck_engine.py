"""A small engine for lakes without one: DuckDB computes, PyIceberg appends. It speaks Trino's dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import sqlglot
from headwater.dialects import TRINO, Dialect
from headwater.engines.base import Engine, StageJob
from headwater.sqlbody import insert_select
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from headwater.metastores.base import Metastore

__all__ = ["DuckEngine"]


@dataclass(frozen=True)
class DuckEngine(Engine):
    """Reads whole tables into memory."""

    metastore: Metastore

    @property
    def dialect(self) -> Dialect:
        """Trino's, which sqlglot writes for DuckDB."""
        return TRINO

    def arrow(self, sql: str) -> pa.Table:
        """Run one SELECT."""
        tree = sqlglot.parse_one(sql, read="trino")
        catalog = self.metastore.iceberg()
        with duckdb.connect() as connection:
            for one in list(tree.find_all(exp.Table)):
                if one.db:
                    rows = catalog.load_table((one.db, one.name)).scan().to_arrow()
                    alias = one.alias or one.name
                    connection.register(f"{one.db}__{one.name}", rows)
                    one.replace(exp.to_table(f"{one.db}__{one.name}").as_(alias))
            return connection.sql(tree.sql("duckdb")).to_arrow_table()

    def batches(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run one SELECT."""
        rows = self.arrow(sql)
        return rows.schema, iter(rows.to_batches())

    def stage(self, job: StageJob) -> None:
        """Append the body's rows."""
        stage = self.metastore.iceberg().load_table((job.stage.zone, job.stage.name))
        rows = self.arrow(insert_select(job.table, "trino", job.values))
        stage.append(rows.cast(stage.schema().as_arrow()))
