"""EMR Serverless over the box's Spark: job runs that are a Spark of their own, and sessions on the box's own Spark."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.stack import Stack

from headwater_aws_api.emr._applications import Applications
from headwater_aws_api.emr._jobs import Jobs
from headwater_aws_api.emr._sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["emr_operations"]


@contextmanager
def emr_operations(profile: Profile, store: Store) -> Iterator[Operations]:
    """Give what is served of EMR Serverless, by operation; jobs and sessions are ended at the end."""
    applications = Applications(store)
    folder, storage = Box(profile).data("aws-api") / "jobs", Stack.build(profile).storage
    with ExitStack() as stack:
        jobs = stack.enter_context(Jobs(profile, store, applications, storage=storage, folder=folder))
        sessions = stack.enter_context(Sessions(profile, store, applications))
        yield {**applications.served, **jobs.served, **sessions.served}
