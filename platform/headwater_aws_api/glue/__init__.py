"""The Glue Data Catalog over the box's Hive Metastore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater_aws_api.glue._databases import database_operations
from headwater_aws_api.glue._metastore import Metastore
from headwater_aws_api.glue._partitions import Partitions, partition_operations
from headwater_aws_api.glue._tables import Tables, table_operations

if TYPE_CHECKING:
    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["glue_operations"]


def glue_operations(profile: Profile, store: Store) -> Operations:
    """Return what is served of Glue, by operation."""
    metastore = Metastore(profile, store)
    return {
        **database_operations(metastore),
        **table_operations(Tables(metastore)),
        **partition_operations(Partitions(metastore)),
    }
