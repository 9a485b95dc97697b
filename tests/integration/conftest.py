"""What tests share: a stack on the test box, short ways to declare tables of their own, and empty catalogs."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from headwater.box.components.databases import connect, database_url
from headwater.layout import location
from headwater.profile import inherited_env
from headwater.stack import Stack
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater.write import load_raw, write
from headwater_catalog.store import Store, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headwater.write import Published

YEARS = Partitioning("year", "year", "2019")


@dataclass(frozen=True)
class Lake:
    """A stack with names that no other test uses."""

    stack: Stack
    mark: str

    def name(self, zone: str, base: str = "t") -> str:
        """Return a table name of this test's own."""
        return f"{zone}.{base}_{self.mark}"

    def table(self, columns: Mapping[str, str], *, zone: str = "curated", base: str = "t", **more: Any) -> Table:
        """Declare a table of this test's own; columns are name and type."""
        made = tuple(Column(name, kind, f"The {name}.") for name, kind in columns.items())
        return Table(name=self.name(zone, base), doc="A table of a test.", owner="team:tests", columns=made, **more)

    def raw(self, columns: Sequence[str], *, variants: tuple[tuple[str, ...], ...] = (), **more: Any) -> Table:
        """Declare a raw table over ``<base>_<key>.txt`` in a folder of this test's own, by year."""
        files = DelimitedFiles(folder=f"data/{self.mark}", pattern=r"rows[^_]*_(?P<key>\d{4})\.txt", variants=variants)
        types = dict.fromkeys(columns, "string")
        return self.table(types, zone="raw", base="rows", files=files, **{"partitioning": YEARS, **more})

    def drop_file(self, name: str, text: str | bytes) -> None:
        """Put a file where the raw table looks."""
        folder = self.stack.profile.project / f"data/{self.mark}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def load(self, table: Table, *keys: str, **more: Any) -> Published:
        """Load a raw table."""
        return load_raw(table, self.stack, **{"run": "test", **more}, partitions=keys)

    def write(self, table: Table, *keys: str, **more: Any) -> Published:
        """Write a table."""
        return write(table, self.stack, **{"run": "test", **more}, partitions=keys)

    def with_lease(self, seconds: int) -> Lake:
        """Return the same lake, where a write counts as dead after that long."""
        profile = self.stack.profile
        settings = {**profile.settings, "HEADWATER_LEASE": str(seconds)}
        return replace(self, stack=replace(self.stack, profile=replace(profile, settings=settings)))

    def rows(self, table: Table | str, engine: str = "trino", select: str = "*") -> list[tuple[Any, ...]]:
        """Return a table's rows, sorted."""
        found = self.stack.engine(engine).rows(f"SELECT {select} FROM {table}")
        return sorted((tuple(row.values()) for row in found), key=repr)

    def snapshots(self, table: Table) -> list[Any]:
        """Return a table's snapshots, oldest first."""
        return list(self.iceberg(table).metadata.snapshots)

    def iceberg(self, table: Table) -> Any:
        """Return a table as PyIceberg sees it now."""
        return self.stack.metastore.iceberg().load_table((table.zone, table.id.name))

    def objects(self, table: Table, below: str = "/") -> list[str]:
        """Return what lies below a table's location."""
        place = location(self.stack.profile.bucket, table.id)
        return [found.uri.removeprefix(place) for found in self.stack.storage.objects(place + below)]

    def stages(self, table: Table) -> list[str]:
        """Return the stages of a table that the metastore knows."""
        names = [one.name.name for one in self.stack.metastore.registered() if one.name.zone == table.zone]
        return [
            name for name in names if name.startswith((f"{table.id.name}__stage", f"{table.id.name}__rejected__stage"))
        ]

    def data_files(self, table: Table) -> set[str]:
        """Return the files that a table reads now."""
        return {task.file.file_path for task in self.iceberg(table).scan().plan_files()}

    @cached_property
    def program(self) -> Callable[..., subprocess.CompletedProcess[str]]:
        """Runs Python text in a process of its own under the same profile."""

        def run(text: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", text],
                env=inherited_env(**self.stack.profile.environment()),
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )

        return run


@pytest.fixture(scope="session")
def stack(box) -> Stack:
    """The adapters of the test box."""
    return Stack.build(box)


@pytest.fixture
def lake(stack) -> Lake:
    """The test box's lake, with names of this test's own."""
    return Lake(stack, uuid.uuid4().hex[:8])


@pytest.fixture(scope="module")
def shared_lake(stack) -> Lake:
    """The test box's lake, with names that the tests of one file share."""
    return Lake(stack, uuid.uuid4().hex[:8])


@pytest.fixture
def database(box):
    """An empty database of this test's own, brought to this version; its URL."""
    name = f"catalog_{uuid.uuid4().hex[:8]}"
    with connect(box, "postgres", database="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with connect(box, "postgres", database=name) as connection:
        migrate(connection)
    yield database_url(box, "postgres").rpartition("/")[0] + f"/{name}"
    with connect(box, "postgres", database="postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def store(database):
    """A catalog that knows nothing yet."""
    with Store(database, "lake") as made:
        yield made
