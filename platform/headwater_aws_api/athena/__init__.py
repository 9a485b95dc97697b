"""Athena over the box's Trino, and Hive's DDL over Glue."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater.stack import Stack

from headwater_aws_api.athena._catalogs import catalog_operations
from headwater_aws_api.athena._execution import Runner
from headwater_aws_api.athena._groups import Groups, group_operations
from headwater_aws_api.athena._hive import Hive
from headwater_aws_api.athena._queries import Queries, query_operations
from headwater_aws_api.athena._results import Results
from headwater_aws_api.athena._trino import Asked, Trino

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["athena_operations"]

# Where results go when nobody says otherwise; no table's place.
_RESULTS = "athena-results"


@contextmanager
def athena_operations(profile: Profile, store: Store, glue: Operations) -> Iterator[Operations]:
    """Give what is served of Athena, by operation; queries are stopped at the end."""
    trino = Trino(profile)
    groups = Groups(store, f"s3://{profile.bucket}/{_RESULTS}/")

    def once(sql: str) -> None:
        trino.run(sql, Asked(), database="default", session={})

    storage = Stack.build(profile).storage
    hive = Hive(glue, once, lambda place: (one.uri for one in storage.objects(place)))
    runner = Runner(trino, hive, storage)
    with Queries(store, groups, runner, Results(profile)) as queries:
        yield {**query_operations(queries), **group_operations(groups), **catalog_operations(glue)}
