"""Makes the images' roots, in namespaces of their own, so that a build that is killed leaves nothing mounted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.profile import Profile
from image_build import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from image_build import Image

__all__ = ["image_roots"]


def image_roots(place: Path, names: Iterable[str], *, from_nothing: bool = False) -> dict[str, Image]:
    """Return images by name, made where they are not.

    Args:
        place: Where they are kept.
        names: Stages of the Dockerfile.
        from_nothing: Have every step fetch what it installs, instead of taking what this machine has fetched.
    """
    wanted = sorted(set(names))
    seed = "" if from_nothing else str(Profile.load().cache)
    script = [sys.executable, str(Path(__file__).with_name("image_build.py")), str(place), seed, *wanted]
    own = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*own, *script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ, check=False
    )
    if done.returncode:
        raise AssertionError(f"an image was not made:\n{done.stdout[-4000:]}")
    return {name: read_image(place, name) for name in wanted}
