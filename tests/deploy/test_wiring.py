"""The services of docker-compose.yml, started as local processes with their own commands, variables, mounts and limits.

Each has a network of its own; a packet filter lets through the documented arrows and nothing else. The loans go
through, from made-up files to a chart; then each arrow in turn is closed, and the step that takes it fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import headwater
from compose_file import ROOT, arrow_ends
from composed import Composed
from headwater.box.arrows import CLI, PEOPLE, arrows
from headwater.box.components import all_components
from headwater.box.envfile import PARTS
from headwater.box.programs import programs
from headwater.credentials import LOGINS, new_password, password_variable
from headwater.profile import Profile
from image_roots import image_roots
from platform_steps import StepError, Steps, step_of
from services import services_of_compose
from wiring import Link, World, missing_tools

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]
PLACE = ROOT / ".headwater-test" / "wiring"
IMAGES = ROOT / ".headwater-images"
STARTED = [one for one in all_components().values() if not one.on_demand]
ARROWS = sorted(arrows(programs(STARTED)), key=lambda one: (step_of(one), one))
PORTS = Profile.load({"HEADWATER_PROFILE": "compose"})


def link_of(arrow):
    """Return what the packet filter lets through for an arrow."""
    caller, target = (PEOPLE, PORTS.host_of(arrow.port)) if arrow.caller == PEOPLE else arrow_ends(arrow)
    return Link(caller, target, PORTS.port(arrow.port))


def make_project(place):
    """Return a project folder with a few loans, which everybody may read."""
    place.mkdir(parents=True)
    shutil.copy(ROOT / "headwater.toml", place)
    profile = Profile.load(HEADWATER_PROJECT=str(place), HEADWATER_HOME=str(place / ".headwater"))
    headwater(profile, "demo-data", "loans", "--rows", "2000", "--years", "2019-2020")
    return place


@pytest.fixture(scope="module")
def tools():
    """What namespaces and filters take; without it these tests are skipped, in CI they fail."""
    why = missing_tools()
    if why:
        (pytest.fail if os.environ.get("TEST_NO_SKIP") else pytest.skip)(f"no wiring test here: {why}")


@pytest.fixture(scope="module")
def steps(tools):
    """The platform, up behind its filter and with the loans in it."""
    shutil.rmtree(PLACE, ignore_errors=True)
    passwords = {login: new_password() for login in LOGINS}
    variables = {password_variable(login): text for login, text in passwords.items()}
    every = services_of_compose({**variables, "HEADWATER_PROJECT": str(make_project(PLACE / "project"))})
    services = {name: one for name, one in every.items() if one.parts <= {*PARTS, CLI}}
    images = image_roots(IMAGES, (one.image for one in services.values()))
    with World(PLACE, [*services, PEOPLE], images) as world:
        world.allow(map(link_of, ARROWS))
        world.publish(PEOPLE, services.values())
        composed = Composed(world, services)
        composed.up([name for name in services if name != CLI], 900)
        yield Steps(world, composed, passwords, PLACE / "volumes" / "trust" / "ca.pem")


def test_the_loans_go_through(steps):
    """From files to tables, charts and lineage, through the command line inside and the published ports outside."""
    said = replace(steps, within=900).headwater("materialize", "--all")
    assert "curated.loan_vintage" in said
    steps.push_dashboards()

    ((rows, loans),) = steps.query()
    assert rows > 10
    assert 1900 < loans <= 2000
    assert "partitioned.loan_performance" in steps.headwater("lineage", "curated.loan_vintage", "--direction", "up")
    assert steps.chart()


def test_a_service_can_write_where_it_must_and_nowhere_else(steps):
    """Its root is read-only, it is nobody in particular, and it holds no capability."""
    trino = steps.composed.running["trino"]

    assert trino.run("id", "-u").stdout == "10001\n"
    assert "CapBnd:\t0000000000000000" in trino.run("cat", "/proc/self/status").stdout
    for place in ("/x", "/opt/headwater/x", "/etc/x"):
        assert "Read-only file system" in trino.run("touch", place).stderr
    for place in ("/tmp/x", "/var/lib/headwater/x"):  # noqa: S108 - of a container
        assert trino.run("touch", place).returncode == 0  # its volume, and memory
    runner = steps.composed.running["dagster-runner"]
    for place in ("/project/x", "/var/lib/headwater/trust/x"):
        assert "Read-only file system" in runner.run("touch", place).stderr


def test_nobody_opens_another_connection(steps):
    """Nothing was refused while all arrows were open, so they are enough."""
    assert {str(one) for one in steps.world.seen("refused")} == set()
    assert steps.world.seen("used") <= set(map(link_of, ARROWS))


@pytest.mark.parametrize("arrow", ARROWS, ids=str)
def test_without_an_arrow_its_step_fails(steps, arrow):
    """The step works; with this one arrow closed it does not."""
    took = ready(steps, step_of(arrow))
    steps.world.forbid([link_of(arrow)])
    try:
        # On a machine that is busy with other things, both take long.
        with pytest.raises(StepError):
            replace(steps, within=max(15, 3 * took)).do(step_of(arrow))
    finally:
        steps.world.allow([link_of(arrow)])


def ready(steps, step):
    """Do a step until it works, since a service may be starting anew, and return how long it takes."""
    until = time.monotonic() + 300
    while True:
        began = time.monotonic()
        try:
            steps.composed.revive()
            steps.do(step)
            return time.monotonic() - began
        except StepError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def test_each_stayed_within_its_memory(steps):
    """No process was killed for taking too much."""
    assert steps.composed.killed_for_memory() == []


_HANGING = """
import sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from wiring import World
with World(Path({place!r}), ["a", "b"], {{}}) as world:
    print("made", flush=True)
    time.sleep(600)
"""


def test_a_killed_world_leaves_nothing_behind(tools, tmp_path):
    """No process, no mount, no namespace."""
    script = _HANGING.format(path=[str(Path(__file__).parents[1] / "support")], place=str(tmp_path))
    before = traces()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout.readline() == "made\n"
        assert traces() != before
        test.send_signal(signal.SIGKILL)
        test.wait()
    until = time.monotonic() + 10
    while traces() != before and time.monotonic() < until:
        time.sleep(0.1)

    assert traces() == before


def traces():
    """Return the network namespaces that processes are in, and what is mounted here."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.add((process / "ns" / "net").readlink())
        except OSError:
            continue
    return found, Path("/proc/self/mounts").read_text(encoding="utf-8")
