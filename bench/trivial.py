"""The smallest thing Dagster can record, under Headwater's executor and under Dagster's own."""

from __future__ import annotations

import os

from dagster import Definitions, MaterializeResult, asset, in_process_executor

# The stock side sets this to nothing, and gets what Dagster does by itself: a process per step.
_EXECUTOR = in_process_executor if os.environ.get("BENCH_EXECUTOR") == "in_process" else None  # noqa: TID251


@asset
def trivial() -> MaterializeResult[None]:
    """One number, recorded."""
    return MaterializeResult(metadata={"rows": 42})


defs = Definitions(assets=[trivial], executor=_EXECUTOR)
