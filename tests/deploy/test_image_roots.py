"""The Dockerfile's steps, run in chroots of the base's release: what an image then holds, and what it does not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from compose_file import ROOT, stages
from headwater.box.components import all_components
from image_roots import image_roots
from wiring import missing_tools

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
COMPONENTS = all_components()
# TEST_FROM_NOTHING=1 has the steps fetch everything, which takes long; else they find what `headwater fetch`
# has brought to this machine.
FROM_NOTHING = bool(os.environ.get("TEST_FROM_NOTHING"))
PLACE = ROOT / ".headwater-images" / ("from-nothing" if FROM_NOTHING else "")
UNWANTED = ("usr/bin/gcc", "usr/bin/cc", "usr/bin/go", "usr/bin/git", "root/.cache", "root/go", "root/.m2", "src",
            "var/lib/apt/lists/*_Packages")  # fmt: skip
CACHE = "opt/headwater/cache"


@pytest.fixture(scope="module")
def images():
    """Every component's image."""
    if why := missing_tools():
        (pytest.fail if os.environ.get("TEST_NO_SKIP") else pytest.skip)(f"no image can be made here: {why}")
    return image_roots(PLACE, COMPONENTS, from_nothing=FROM_NOTHING)


def seen(image, pattern):
    """Return the paths of an image that a pattern fits; what an upper layer removed is not among them."""
    found = {}
    for layer in map(Path, image.layers):
        for path in layer.glob(pattern):
            found.setdefault(str(path.relative_to(layer)), path.is_char_device())
    return {path for path, removed in found.items() if not removed}


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_step_works_and_leaves_no_tools_behind(images, name):
    """The command of the image is there, and nothing of what made it: no compiler, no cache, no source."""
    image = images[name]

    assert image.command[:2] == ("headwater", "run")
    assert (image.user, image.folder) == ("10001:10001", "/var/lib/headwater")
    assert seen(image, "opt/headwater/venv/bin/headwater")
    assert [path for path in UNWANTED if seen(image, path)] == []
    assert seen(image, f"{CACHE}/*") <= {f"{CACHE}/runtimes"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_image_has_its_own_runtimes_and_no_others(images, name):
    """What the lock file gives its component, in full."""
    from headwater.box.lockfile import read_lock, this_platform

    folders = {one.folder(this_platform()) for one in read_lock().with_needs(COMPONENTS[name].runtimes)}
    found = {Path(one).name for one in seen(images[name], f"{CACHE}/runtimes/*")}

    assert found <= folders
    assert {read_lock().find(one).folder(this_platform()) for one in COMPONENTS[name].runtimes} <= found


def test_nothing_in_an_image_can_be_changed_by_its_user(images):
    """But for its home, which is a volume's place."""
    open_to_it = ("(", "-uid", "10001", "-o", "-perm", "-0002", "!", "-type", "l", ")")
    meant = ("var/lib/headwater", "tmp", "var/tmp", "run/lock", "dev")
    for layer in {one for image in images.values() for one in image.layers}:
        argv = ["find", layer, "-xdev", *open_to_it, "-printf", "%P\\n"]
        found = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
        assert [one for one in found if not one.startswith(meant)] == []


def test_every_stage_is_made_of_what_the_builder_knows():
    """A new kind of instruction would otherwise be left out of these tests unseen."""
    from image_build import METADATA

    said = {instruction for stage in stages().values() for instruction, _ in stage}

    assert said <= METADATA | {"RUN", "COPY"}
