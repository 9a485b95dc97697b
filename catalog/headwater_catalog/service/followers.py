"""Which follower a profile's metastore has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.metastores.glue import GlueMetastore
from headwater.metastores.hive import HiveMetastore

from headwater_catalog.service.glue import GlueFollower
from headwater_catalog.service.hive import HiveFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater.stack import Stack

    from headwater_catalog.service.following import Follower
    from headwater_catalog.store import Store

__all__ = ["follower_of"]


def follower_of(stack: Stack, store: Store) -> Follower:
    """Return what brings the catalog to what happens in a metastore; entered, it begins.

    Args:
        stack: Whose metastore.
        store: What it is written to.
    """
    return _FOLLOWERS[type(stack.metastore)](stack, store)


def _glue(stack: Stack, store: Store) -> Follower:
    metastore: Any = stack.metastore
    return GlueFollower(metastore, store, float(stack.profile.setting("HEADWATER_GLUE_LOOK")))


_FOLLOWERS: Mapping[type, Callable[[Stack, Store], Follower]] = {
    HiveMetastore: lambda stack, store: HiveFollower(stack.profile, store),
    GlueMetastore: _glue,
}
