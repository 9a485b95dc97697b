"""Serves the AWS APIs until it is told to stop."""

from __future__ import annotations

import logging

import uvicorn
from headwater.box.components.databases import database_url
from headwater.profile import Profile

from headwater_aws_api.app import make_app
from headwater_aws_api.athena import athena_operations
from headwater_aws_api.glue import glue_operations
from headwater_aws_api.signature import Keys
from headwater_aws_api.store import Store


def main() -> None:
    """Serve the profile that the environment names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    profile = Profile.load()
    keys = Keys(profile.credentials.user("minio"), profile.credentials.password("minio"))
    with (
        Store(database_url(profile, "aws-api-db")) as store,
        athena_operations(profile, store, glue := glue_operations(profile, store)) as athena,
    ):
        services = {"glue": glue, "athena": athena}
        uvicorn.run(
            make_app(keys, services),
            host=profile.listen,
            port=profile.port("aws-api"),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )


if __name__ == "__main__":
    main()
