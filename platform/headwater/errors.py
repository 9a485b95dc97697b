"""Every error Headwater raises, in one tree.

HeadwaterError
├── ConfigError            a setting, headwater.toml or the machine is not usable
├── FetchError             a runtime could not be fetched or is not there
├── ComponentError         a component did not start, migrate or answer
├── DefinitionError        a table's definition is wrong (found at import)
│   └── EvolutionError     a changed definition cannot be applied to the existing table
├── InputError             files, rows or wishes are not usable; nothing was written
├── QueryError             an engine refused or failed a statement
│   └── EngineAway         an engine does not answer, or was restarted meanwhile
├── StorageError           the object store refused or failed
├── MetastoreError         the metastore refused or failed
├── DashboardError         a dashboard's YAML is wrong, or Superset refused it
└── WriteError             a write was not published
    ├── CheckFailed        blocking checks failed on the staged rows
    ├── RowsLost           rows in differ from good + rejected
    ├── RowsDiffer         a copy does not have the rows of its original
    └── PublishConflict    the table kept changing under the publisher

A message is one or two sentences: what failed (the object by name), why, and what to do.
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Base of all errors that a user can do something about; its text is shown without a traceback."""


class ConfigError(HeadwaterError):
    """A setting, ``headwater.toml`` or the machine itself is not usable."""


class FetchError(HeadwaterError):
    """A runtime could not be fetched, or a needed one has not been fetched."""


class ComponentError(HeadwaterError):
    """A component of the box did not start, migrate, stop or answer."""


class DefinitionError(HeadwaterError):
    """A table's definition is wrong; raised while definitions are imported."""


class EvolutionError(DefinitionError):
    """A changed definition cannot be applied to the table as it stands."""


class InputError(HeadwaterError):
    """Files, rows or wishes are not usable; nothing was written."""


class QueryError(HeadwaterError):
    """An engine refused or failed a statement."""


class EngineAway(QueryError):  # noqa: N818 - a state, not a mistake
    """An engine does not answer, is still starting, or was restarted in the middle; the same may work soon."""


class StorageError(HeadwaterError):
    """The object store refused or failed a request."""


class MetastoreError(HeadwaterError):
    """The metastore refused or failed a request."""


class DashboardError(HeadwaterError):
    """A dashboard's YAML is wrong, or Superset refused it; Superset is as it was."""


class WriteError(HeadwaterError):
    """A write was not published; the table is as it was."""


class CheckFailed(WriteError):  # noqa: N818 - reads as the outcome it is
    """Blocking checks failed on the staged rows.

    Args:
        table: The table's ``zone.name``.
        failures: One result per failed check (``headwater.checks.CheckResult``), with the rows that broke it.
        results: Those of all checks.
    """

    def __init__(self, table: str, failures: tuple[object, ...], results: tuple[object, ...] = ()) -> None:
        self.table = table
        self.failures = failures
        self.results = results
        super().__init__(table, failures, results)

    def __str__(self) -> str:
        """Return the sentence that names every failed check."""
        said = "; ".join(str(failure) for failure in self.failures)
        return f"{self.table} was not published: {said}. The table is as it was."


class RowsLost(WriteError):  # noqa: N818
    """Rows read differ from good plus rejected rows."""


class RowsDiffer(WriteError):  # noqa: N818
    """A table's copy on another lake does not have the rows of its original; it is not registered by its name."""


class PublishConflict(WriteError):  # noqa: N818
    """Other writers kept changing the table while this run tried to publish."""
