"""EMR Serverless over the box's Spark: every job run is a Spark of its own, on the box's metastore and store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.stack import Stack

from headwater_aws_api.emr._operations import Jobs, emr_served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["emr_operations"]


@contextmanager
def emr_operations(profile: Profile, store: Store) -> Iterator[Operations]:
    """Give what is served of EMR Serverless, by operation; jobs are ended at the end."""
    folder = Box(profile).data("aws-api") / "jobs"
    with Jobs(profile, store, Stack.build(profile).storage, folder) as jobs:
        yield emr_served(jobs)
