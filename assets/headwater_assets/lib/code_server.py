"""Dagster's code server, which starts itself anew when a definition file changes.

The stock server serves the definitions as they were at its start, and its reloading twin is two processes. This one is
one process: it looks at the files' times and becomes a fresh interpreter when one has changed, so a new table shows up
in Dagster a few seconds after its file was saved.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from headwater.profile import Profile
from headwater.project import definition_states

__all__ = ["main"]

_LOOK_SECONDS = 2.0


def main() -> None:
    """Serve the project's definitions; the arguments are those of ``dagster api grpc``."""
    from dagster._cli.api import grpc_command  # noqa: PLC0415 - with everything it needs

    threading.Thread(target=_watch, args=(Profile.load(),), daemon=True, name="watch-definitions").start()
    grpc_command.main(args=sys.argv[1:], prog_name="dagster api grpc")


def _watch(profile: Profile) -> None:
    before = definition_states(profile)
    while True:
        time.sleep(_LOOK_SECONDS)
        now = definition_states(profile)
        if now != before:
            time.sleep(_LOOK_SECONDS)  # an editor or a checkout may be writing more than one file
            os.execv(sys.executable, [sys.executable, "-m", __spec__.name, *sys.argv[1:]])  # noqa: S606 - itself


if __name__ == "__main__":
    main()
