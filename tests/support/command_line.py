"""The command line as tests call it: in a process of its own, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.profile import Profile


def headwater(
    profile: Profile, *arguments: str, timeout: float = 600, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the command line against a box as a user would."""
    env = {**os.environ, **profile.environment()}
    done = subprocess.run(
        [sys.executable, "-m", "headwater", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(
            f"headwater {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done
