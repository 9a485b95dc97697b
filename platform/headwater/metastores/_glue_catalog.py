"""PyIceberg's Glue catalog, within what Glue takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.glue import GlueCatalog, _construct_table_input
from pyiceberg.io import load_file_io
from pyiceberg.serializers import FromInputFile

from headwater.metastores.shapes import LONGEST_COMMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BoundedGlueCatalog", "iceberg_input"]

# Glue's parameters only ever grow by a commit, and these properties are read from the Iceberg metadata alone.
_PASSING = "headwater.fenced."


class BoundedGlueCatalog(GlueCatalog):
    """A GlueCatalog that shortens long comments, and leaves out what a table says of itself for a day."""

    def _create_glue_table(self, database_name: str, table_name: str, table_input: Any) -> None:
        super()._create_glue_table(database_name, table_name, _bounded(table_input))

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        super()._update_glue_table(database_name, table_name, _bounded(table_input), version_id)


def iceberg_input(name: str, metadata_location: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what a table over an Iceberg metadata file is registered as.

    Args:
        name: The table's, without its zone.
        metadata_location: The file.
        files: PyIceberg's properties for reading it.
    """
    metadata = FromInputFile.table_metadata(load_file_io(dict(files), metadata_location).new_input(metadata_location))
    return dict(_bounded(_construct_table_input(name, metadata_location, metadata.properties, metadata)))


def _bounded(table_input: Any) -> Any:
    storage = table_input["StorageDescriptor"]
    columns = [
        {**column, "Comment": column["Comment"][:LONGEST_COMMENT]} if "Comment" in column else column
        for column in storage["Columns"]
    ]
    parameters = {key: text for key, text in table_input["Parameters"].items() if not key.startswith(_PASSING)}
    return {**table_input, "Parameters": parameters, "StorageDescriptor": {**storage, "Columns": columns}}
