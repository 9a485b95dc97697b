"""Which dashboards read which tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.errors import ConfigError, DashboardError

from headwater_dashboards._layout import charts_in
from headwater_dashboards.documents import Document, Documents, folders, load
from headwater_dashboards.forms import slug_of
from headwater_dashboards.superset import dashboard_url

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["dashboards_of_tables", "tables_of"]


def dashboards_of_tables(profile: Profile) -> dict[str, list[tuple[str, str]]]:
    """Return title and address of every dashboard by the tables that it reads; none when its YAML cannot be read."""
    try:
        documents = load(folders(profile))
    except (ConfigError, DashboardError):
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    for one in documents.of("dashboards"):
        for table in tables_of(one, documents):
            found.setdefault(table, []).append((str(one.data["title"]), dashboard_url(profile, slug_of(one))))
    return found


def tables_of(dashboard: Document, documents: Documents) -> list[str]:
    """Return the tables that a dashboard's charts and filters read, in their order."""
    charts = [documents.find("charts", name) for _, name in charts_in(dashboard.data)]
    names = [one.data["dataset"] for one in charts if one is not None]
    names += [one["dataset"] for one in dashboard.data.get("filters", []) if isinstance(one, dict) and "dataset" in one]
    datasets = [documents.find("datasets", name) for name in names]
    return list(dict.fromkeys(str(one.data["table"]) for one in datasets if one is not None))
