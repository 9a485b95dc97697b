"""What Dagster is told about dashboards: each is an asset downstream of the tables that its charts read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dagster import AssetKey, AssetSpec, MetadataValue
from headwater.errors import ConfigError, DashboardError

from headwater_dashboards.documents import Document, Documents, folders, load
from headwater_dashboards.forms import slug_of
from headwater_dashboards.readers import tables_of
from headwater_dashboards.superset import dashboard_url

if TYPE_CHECKING:
    from headwater.profile import Profile
    from headwater.project import Project

__all__ = ["specs"]

_OWNER = "team:dashboards"


def specs(project: Project, profile: Profile) -> list[AssetSpec]:
    """Return one asset per dashboard; Dagster links to it and does not make it.

    A mistake in a dashboard's YAML must not take the tables from Dagster: it is logged, and no dashboard is shown.
    """
    try:
        documents = load(folders(profile))
    except (ConfigError, DashboardError) as error:
        logging.getLogger("headwater").warning("Dagster shows no dashboards: %s", error)
        return []
    return [_spec(one, documents, project, profile) for one in documents.of("dashboards")]


def _spec(one: Document, documents: Documents, project: Project, profile: Profile) -> AssetSpec:
    tables, slug = tables_of(one, documents), slug_of(one)
    owners = {table.name: table.owner for table in project.tables}
    owner = one.data.get("owner") or next((owners[name] for name in tables if name in owners), _OWNER)
    return AssetSpec(
        AssetKey(["dashboards", slug.replace("-", "_")]),
        deps=[AssetKey(name.split(".", 1)) for name in tables],
        description=str(one.data.get("description") or one.data["title"]),
        metadata={
            "dashboard": MetadataValue.url(dashboard_url(profile, slug)),
            "file": MetadataValue.path(str(one.file)),
        },
        group_name="dashboards",
        owners=[str(owner)],
        kinds={"superset"},
    )
