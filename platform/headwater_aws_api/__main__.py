"""Serves the AWS APIs until it is told to stop."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import uvicorn
from headwater.box.components.databases import database_url
from headwater.profile import Profile

from headwater_aws_api.app import make_app
from headwater_aws_api.athena import athena_operations
from headwater_aws_api.emr import emr_operations
from headwater_aws_api.glue import glue_operations
from headwater_aws_api.signature import Keys
from headwater_aws_api.store import Store


def main() -> None:
    """Serve the profile that the environment names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    profile = Profile.load()
    keys = Keys(profile.credentials.user("minio"), profile.credentials.password("minio"))
    with ExitStack() as stack:
        store = stack.enter_context(Store(database_url(profile, "aws-api-db")))
        glue = stack.enter_context(glue_operations(profile, store))
        services = {
            "glue": glue,
            "athena": stack.enter_context(athena_operations(profile, store, glue)),
            "emr-serverless": stack.enter_context(emr_operations(profile, store)),
        }
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
