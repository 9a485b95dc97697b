"""Which tables a dashboard reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater_dashboards._layout import charts_in

if TYPE_CHECKING:
    from headwater_dashboards.documents import Document, Documents

__all__ = ["tables_of"]


def tables_of(dashboard: Document, documents: Documents) -> list[str]:
    """Return the tables that a dashboard's charts and filters read, in their order."""
    charts = [documents.find("charts", name) for _, name in charts_in(dashboard.data)]
    names = [one.data["dataset"] for one in charts if one is not None]
    names += [one["dataset"] for one in dashboard.data.get("filters", []) if isinstance(one, dict) and "dataset" in one]
    datasets = [documents.find("datasets", name) for name in names]
    return list(dict.fromkeys(str(one.data["table"]) for one in datasets if one is not None))
