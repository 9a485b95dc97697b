"""PyIceberg's Glue catalog, within what Glue takes."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog.glue import GlueCatalog

from headwater.metastores.glue import LONGEST_COMMENT

__all__ = ["BoundedGlueCatalog"]

# Glue's parameters only ever grow by a commit, and these properties are read from the Iceberg metadata alone.
_PASSING = "headwater.fenced."


class BoundedGlueCatalog(GlueCatalog):
    """A GlueCatalog that shortens long comments, and leaves out what a table says of itself for a day."""

    def _create_glue_table(self, database_name: str, table_name: str, table_input: Any) -> None:
        super()._create_glue_table(database_name, table_name, _bounded(table_input))

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        super()._update_glue_table(database_name, table_name, _bounded(table_input), version_id)


def _bounded(table_input: Any) -> Any:
    storage = table_input["StorageDescriptor"]
    columns = [
        {**column, "Comment": column["Comment"][:LONGEST_COMMENT]} if "Comment" in column else column
        for column in storage["Columns"]
    ]
    parameters = {key: text for key, text in table_input["Parameters"].items() if not key.startswith(_PASSING)}
    return {**table_input, "Parameters": parameters, "StorageDescriptor": {**storage, "Columns": columns}}
