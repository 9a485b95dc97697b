"""DuckDB as ingest uses it: bounded, in a scratch folder of the box's home, and never on the network."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["connected", "scratch_folder"]

# Beside it lives the rest of the process; together they stay under a GiB.
_MEMORY = "500MB"
_MOST_THREADS = 4


@contextmanager
def scratch_folder(home: Path) -> Iterator[Path]:
    """Make a folder for what is on its way; folders of dead processes are removed."""
    import psutil  # noqa: PLC0415 - slow to import

    base = home / "scratch"
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob("ingest-*-*"):
        pid = old.name.split("-")[1]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    folder = base / f"ingest-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connected(scratch: Path) -> Iterator[Any]:
    """Open a DuckDB of its own; its troubles become sentences."""
    import duckdb  # noqa: PLC0415 - slow to import

    settings: dict[str, Any] = {
        "memory_limit": _MEMORY,
        "threads": min(os.cpu_count() or 1, _MOST_THREADS),
        "temp_directory": str(scratch / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise InputError(
                f"The rows do not pass through {_MEMORY} of memory ({str(error).splitlines()[0][:80]}); ingest fewer "
                "partitions or files at once.",
            ) from error
        except (duckdb.InterruptException, RuntimeError) as error:
            # Python's own way of saying that somebody pressed Ctrl-C, which DuckDB does not keep to.
            if isinstance(error, duckdb.InterruptException) or "interrupted" in str(error):
                raise KeyboardInterrupt from error
            raise
        except duckdb.IOException as error:
            raise InputError(
                f"The rows cannot be written: {str(error).splitlines()[0]}; free some disk space."
            ) from error
