"""Crawlers: what lies in the store becomes tables that Trino, Athena and Spark read alike."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.stack import Stack

from headwater_aws_api.glue.crawlers._operations import Crawlers, served
from headwater_aws_api.glue.crawlers._runs import Runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["crawler_operations"]


@contextmanager
def crawler_operations(profile: Profile, store: Store, catalog: Operations) -> Iterator[Operations]:
    """Give what is served of crawlers, by operation; crawls are ended at the end.

    Args:
        profile: Of the box.
        store: Remembers crawlers and crawls.
        catalog: The operations that register tables.
    """
    # Engines pass over what is below a folder that begins with an underscore, and so do crawlers.
    lists, folder = f"s3://{profile.bucket}/_crawled/", Box(profile).data("aws-api") / "crawls"
    with Runs(store, Stack.build(profile).storage, catalog, lists=lists, folder=folder) as runs:
        yield served(Crawlers(store, runs))
