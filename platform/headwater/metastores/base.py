"""What Headwater needs of a metastore: Iceberg tables through PyIceberg, and the raw zone's tables over files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyiceberg.catalog import Catalog

    from headwater.metastores.shapes import Shape
    from headwater.table import Table, TableName

__all__ = ["Metastore", "RawLoad", "Registered", "Taking"]


@dataclass(frozen=True)
class RawLoad:
    """The load that a raw table's partition shows.

    Args:
        location: Folder of the load, with a closing slash.
        facts: What the loader remembers about it; short texts.
    """

    location: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registered:
    """A table that the metastore knows.

    Args:
        name: Its name; stages have one, too.
        location: Where its files lie, without a closing slash.
        iceberg: Whether it is an Iceberg table.
    """

    name: TableName
    location: str
    iceberg: bool


class Metastore(ABC):
    """The register of tables that every engine reads."""

    @abstractmethod
    def iceberg(self) -> Catalog:
        """Return a PyIceberg catalog over this metastore, for one thread.

        Its commits are refused (``CommitFailedException``) unless nothing changed since the table was loaded.
        """

    @abstractmethod
    def registered(self) -> Sequence[Registered]:
        """Return every table of the lake's zones, whoever made it; views are none.

        Raises:
            MetastoreError: The metastore refused or failed.
        """

    @abstractmethod
    def metadata_files(self, names: Iterable[TableName]) -> Mapping[TableName, str | None]:
        """Return where the Iceberg metadata of each table lies; None where it is no Iceberg table.

        A table that is not there is missing.

        Raises:
            MetastoreError: The metastore refused or failed.
        """

    @abstractmethod
    def shape(self, name: TableName) -> Shape | None:
        """Return all that it says of a table, with its partitions; None where it has none.

        Raises:
            MetastoreError: The metastore refused or failed.
        """

    @abstractmethod
    def ensure_raw(self, table: Table, location: str) -> None:
        """Create the table over a raw table's delimited files, or bring its columns up to date.

        Raises:
            MetastoreError: The metastore refused or failed.
        """

    @abstractmethod
    def raw_loads(self, table: Table) -> Mapping[str, RawLoad]:
        """Return the load that each partition shows, by the partition value's text ("" without partitions).

        Raises:
            MetastoreError: The metastore refused or failed.
        """

    @abstractmethod
    def show_load(self, table: Table, value: str, load: RawLoad) -> None:
        """Make a load what readers of one partition see, by one change of the metastore.

        Args:
            table: A raw table that ``ensure_raw`` has seen.
            value: The partition value's text; "" without partitions.
            load: What to show.

        Raises:
            MetastoreError: The metastore refused or failed; the partition shows what it showed.
        """


class Taking(ABC):
    """A metastore that takes tables as another one describes them."""

    @abstractmethod
    def over_iceberg(self, name: TableName, metadata_location: str) -> Shape:
        """Return the shape of a table over an Iceberg metadata file; nothing is registered.

        Raises:
            MetastoreError: The file cannot be read.
        """

    @abstractmethod
    def take(self, shape: Shape, zone: str, before: Shape | None = None) -> None:
        """Register a table, or change it where it is as it was.

        Args:
            shape: What to register.
            zone: The database, made when absent.
            before: What ``shape`` returned of the table that is changed; None for one that is not there.

        Raises:
            MetastoreError: The metastore refused or failed, or somebody else changed the table meanwhile.
        """

    @abstractmethod
    def forget(self, name: TableName) -> None:
        """Remove a table; its files stay. One that is not there is no error.

        Raises:
            MetastoreError: The metastore refused or failed.
        """
