"""An ingest as an awswrangler script by hand: ``python plain_awswrangler.py FILE S3_PREFIX ENDPOINT``."""

import sys

import awswrangler  # type: ignore[import-not-found]  # has an environment of its own
import pandas as pd

if __name__ == "__main__":
    source, prefix, awswrangler.config.s3_endpoint_url = sys.argv[1:]
    frame = pd.read_csv(source, parse_dates=["picked_up", "dropped_off"])
    awswrangler.s3.to_parquet(frame, prefix, dataset=True, mode="overwrite")
