"""What pages are made of and with, by a profile: for the service, and for those that make pages without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.box.components.databases import database_url

from headwater_catalog.pages import Site
from headwater_catalog.store import Store

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["site_of", "store_of"]


def site_of(profile: Profile) -> Site:
    """Return what pages are made with and lead to."""
    return Site(
        libraries=Box(profile).runtimes.path("pages"),
        dagster=profile.url("dagster"),
        superset=profile.url("superset"),
    )


def store_of(profile: Profile) -> Store:
    """Return the catalog's memory."""
    return Store(database_url(profile, "catalog-db"), profile.bucket)
