"""Serves the catalog until it is told to stop."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from headwater.box.components.databases import database_url
from headwater.profile import Profile
from headwater.stack import Stack

from headwater_catalog.service.app import make_app
from headwater_catalog.service.definitions import Watch
from headwater_catalog.service.followers import follower_of
from headwater_catalog.service.inheritance import Inheritance
from headwater_catalog.service.lake import Lake
from headwater_catalog.service.leading import Leader
from headwater_catalog.service.samples import Samples
from headwater_catalog.service.serving import site_of, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Serve the catalog of the profile that the environment names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    profile = Profile.load()
    site, store = site_of(profile), store_of(profile)
    token, hosts = profile.credentials.password("catalog"), profile.names("catalog")

    @contextmanager
    def work() -> Iterator[None]:
        with Watch(profile), follower_of(Stack.build(profile), store), Inheritance(store):
            yield

    with store, Leader(database_url(profile, "catalog-db"), work):
        uvicorn.run(
            make_app(store, token, hosts=hosts, site=site, lake=Lake(profile), samples=Samples(store, profile)),
            host=profile.listen,
            port=profile.port("catalog"),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )


if __name__ == "__main__":
    main()
