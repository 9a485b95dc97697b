"""Files become typed Parquet in a scratch folder here, without a lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from headwater.files._copy import Mistyped, copy_rows
from headwater.files._duck import connected, scratch_folder
from headwater.files._find import find_sources
from headwater.files._options import Options
from headwater.files._plan import plan_columns
from headwater.files._readers import common_format, open_files
from headwater.files._unpack import unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Made:
    """What became of some files."""

    types: dict[str, str]
    why: dict[str, str]
    rows: list[dict[str, Any]]
    rejected: list[tuple[str, int, str, str]]


class Desk:
    """Writes files and reads them as ingest does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, data: bytes | str) -> str:
        """Write a file; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    def read(self, *paths: str, whole: bool = False, **wishes: Any) -> Made:
        """Read files as an ingest would, up to the typed copy."""
        options = Options(**wishes)
        with scratch_folder(self.folder / "home") as scratch, connected(scratch) as connection:
            sources = [
                part for one in find_sources(paths, None, scratch / "f") for part in unpacked(one, scratch / "u")
            ]
            kind = common_format(sources, options)
            relation = open_files(connection, sources, kind, options, scratch / "t")
            columns = plan_columns(connection, relation, options, None, whole=whole)
            try:
                copied = self._copy(
                    connection, relation, columns, scratch / "1" / "c", options=options, sources=sources
                )
            except Mistyped:
                columns = plan_columns(connection, relation, options, None, whole=True)
                copied = self._copy(
                    connection, relation, columns, scratch / "2" / "c", options=options, sources=sources
                )
            rows = [row for path in copied.files for row in pq.ParquetFile(path).read().to_pylist()]
        return Made(
            {one.field.name: one.shown_kind for one in columns},
            {one.field.name: one.why for one in columns},
            rows,
            [(one.name, one.line, one.reason, one.text) for one in copied.rejected],
        )

    def _copy(
        self, connection: Any, relation: Any, columns: Any, target: Path, *, options: Options, sources: Sequence[Any]
    ) -> Any:
        return copy_rows(
            connection,
            relation,
            columns,
            target,
            partition_by=options.partition_by,
            reject=options.on_bad_rows == "reject",
            sources=[one.name for one in sources],
        )


@pytest.fixture
def desk(tmp_path) -> Desk:
    """A folder to write files into, and to read them from."""
    return Desk(tmp_path)
