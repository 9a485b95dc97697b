"""Headwater, a self-hosted data platform in a box.

A definition file needs nothing but this module::

    from headwater import Column, Partitioning, Table, checks

Names are loaded when they are first asked for, so that ``import headwater`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater import checks, errors
    from headwater.errors import DefinitionError, HeadwaterError
    from headwater.files import export, ingest
    from headwater.keep import Keep
    from headwater.sql import query
    from headwater.table import Column, DelimitedFiles, Partitioning, Table, TableName

__all__ = [
    "Column",
    "DefinitionError",
    "DelimitedFiles",
    "HeadwaterError",
    "Keep",
    "Partitioning",
    "Table",
    "TableName",
    "checks",
    "errors",
    "export",
    "ingest",
    "query",
]

# Where each name lives; a module's own name is that module.
_HOMES = {
    "Column": "headwater.table",
    "DefinitionError": "headwater.errors",
    "DelimitedFiles": "headwater.table",
    "HeadwaterError": "headwater.errors",
    "Keep": "headwater.keep",
    "Partitioning": "headwater.table",
    "Table": "headwater.table",
    "TableName": "headwater.table",
    "checks": "headwater.checks",
    "errors": "headwater.errors",
    "export": "headwater.files",
    "ingest": "headwater.files",
    "query": "headwater.sql",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'headwater' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    found = home if home.__name__ == f"headwater.{name}" else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
