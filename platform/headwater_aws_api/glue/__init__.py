"""The Glue Data Catalog over the box's Hive Metastore, and crawlers that fill it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater_aws_api.glue._databases import database_operations
from headwater_aws_api.glue._metastore import Metastore
from headwater_aws_api.glue._partitions import Partitions, partition_operations
from headwater_aws_api.glue._tables import Tables, table_operations
from headwater_aws_api.glue.crawlers import crawler_operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["glue_operations"]


@contextmanager
def glue_operations(profile: Profile, store: Store) -> Iterator[Operations]:
    """Give what is served of Glue, by operation; crawls are ended at the end."""
    metastore = Metastore(profile, store)
    catalog: Operations = {
        **database_operations(metastore),
        **table_operations(Tables(metastore)),
        **partition_operations(Partitions(metastore)),
    }
    with crawler_operations(profile, store, catalog) as crawlers:
        yield {**catalog, **crawlers}
