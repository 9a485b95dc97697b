"""A full disk under the box, which every service words in its own way."""

from __future__ import annotations

import re
import shutil

from headwater.profile import Profile

__all__ = ["full_disk"]

# MinIO's own code, the same as PyArrow and Spark tell it, and the system's word from PostgreSQL below the metastore.
_FULL = re.compile(
    r"XMinioStorageFull|minimum free drive threshold|HTTP status 507|Status Code: 507|No space left on device"
)


def full_disk(said: str) -> str:
    """Return what to do when a service says that its disk is full, an empty text when it says something else."""
    if not _FULL.search(said):
        return ""
    home = Profile.load().home
    free = f"{shutil.disk_usage(home).free / 1024**2:,.0f} MiB free" if home.exists() else "not there"
    return f"the disk of HEADWATER_HOME ({home}, {free}) is full. Free some and run it again."
