"""The tables that are published to: made when absent, brought up to their definition when it changed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, TableAlreadyExistsError

from headwater import ddl, layout
from headwater.errors import PublishConflict
from headwater.evolve import plan_evolution
from headwater.write._iceberg import TABLE_PROPERTIES, TRIES, iceberg_errors, load, loaded, wait_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table import Transaction

    from headwater.evolve import Evolution
    from headwater.table import Table, TableName

__all__ = ["ensure_rejects", "ensure_target"]

_PROPERTIES = {
    **TABLE_PROPERTIES,
    "write.parquet.compression-codec": "zstd",
}


def ensure_target(catalog: Catalog, table: Table, bucket: str, log: Callable[[str], None]) -> None:
    """Create a table, or apply what its definition changed; readers see the same rows before and after.

    Raises:
        EvolutionError: The definition changed in a way that the existing table cannot follow.
        MetastoreError: The metastore failed.
    """
    if loaded(catalog, table.id) is None:
        schema = ddl.iceberg_schema(table)
        _create(catalog, table, table.id, schema, bucket)
        log(f"{table}: created")
    for attempt in range(TRIES):
        target = load(catalog, table.id)
        plan = plan_evolution(
            target.schema(),
            table,
            partitioned_by=_partitioned_by(target),
            has_rows=target.current_snapshot() is not None,
        )
        told = ddl.declared_properties(table)
        stale = {key: text for key, text in told.items() if target.properties.get(key, "") != text}
        if not plan and not stale:
            return
        try:
            _evolve(target, table, plan, stale)
        except CommitFailedException as error:
            wait_turn(attempt, table.id, error, log)
        else:
            log(f"{table}: changed to its definition")
            return
    raise PublishConflict(f"{table} could not be changed to its definition: others kept changing it. Run it again.")


def ensure_rejects(catalog: Catalog, table: Table, bucket: str, log: Callable[[str], None]) -> None:
    """Create the table of a table's rejected rows.

    Raises:
        MetastoreError: The metastore failed.
    """
    name = table.id.rejected
    if loaded(catalog, name) is None:
        _create(catalog, table, name, ddl.rejects_schema(table), bucket)
        log(f"{name}: created")


def _create(catalog: Catalog, table: Table, name: TableName, schema: Schema, bucket: str) -> None:
    zone = f"s3://{bucket}/{name.zone}"
    place = layout.location(bucket, name)
    with iceberg_errors(f"{name} was not made"):
        spec = ddl.iceberg_partition_spec(table, schema)
        told = {key: text for key, text in ddl.declared_properties(table).items() if text}
        properties = {**_PROPERTIES, **told}
        # Another partition's write may make them meanwhile, from the same definition.
        with suppress(NamespaceAlreadyExistsError):
            catalog.create_namespace(name.zone, {"location": zone})
        with suppress(TableAlreadyExistsError):
            catalog.create_table((name.zone, name.name), schema, place, spec, properties=properties)


def _evolve(target: IcebergTable, table: Table, plan: Evolution, stale: Mapping[str, str]) -> None:
    with iceberg_errors(f"{table} was not changed to its definition"), target.transaction() as transaction:
        if stale:
            transaction.set_properties(dict(stale))
        if plan:
            _change_columns(transaction, table, plan)


def _change_columns(transaction: Transaction, table: Table, plan: Evolution) -> None:
    fields = {field.name: field.field_type for field in ddl.iceberg_schema(table).fields}
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for column in plan.add:
            update.add_column(column.name, fields[column.name], doc=column.doc, required=column.required)
        for column in plan.widen:
            update.update_column(column.name, field_type=fields[column.name])
        for column in plan.relax:
            update.update_column(column.name, required=False)
        for column in plan.update_doc:
            update.update_column(column.name, doc=column.doc)


def _partitioned_by(target: IcebergTable) -> str | None:
    names = [target.schema().find_field(field.source_id).name for field in target.spec().fields]
    return names[0] if names else None
