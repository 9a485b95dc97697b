"""The services of docker-compose.yml, started as local processes with their own commands, variables, mounts and limits.

Each has a network of its own; a packet filter lets through the documented arrows and nothing else. The loans go
through, from made-up files to a chart; then each arrow in turn is closed, and the step that takes it fails.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from compose_file import ROOT, arrow_ends
from composed import Composed
from deployed import ComposeDeployed
from headwater.box.arrows import CLI, PEOPLE, arrows
from headwater.box.components import all_components
from headwater.box.envfile import PARTS
from headwater.box.programs import programs
from headwater.credentials import LOGINS, new_password, password_variable
from headwater.profile import Profile
from image_roots import image_roots
from platform_steps import Steps, step_of
from services_of_compose import services_of_compose
from wired import IMAGES, fails_without, loans_go_through, make_project
from wiring import Door, Link, World

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]
PLACE = ROOT / ".headwater-test" / "wiring"
# As with `docker compose --profile aws-api up`: also what starts only when it is asked for.
ASKED = {*PARTS, CLI, *(name for name, one in all_components().items() if one.on_demand)}
ARROWS = sorted(arrows(programs(all_components().values())), key=lambda one: (step_of(one), one))
PORTS = Profile.load({"HEADWATER_PROFILE": "compose"})


def link_of(arrow):
    """Return what the packet filter lets through for an arrow."""
    caller, target = (PEOPLE, PORTS.host_of(arrow.port)) if arrow.caller == PEOPLE else arrow_ends(arrow)
    return Link(caller, target, PORTS.port(arrow.port))


@pytest.fixture(scope="module")
def steps(tools):
    """The platform, up behind its filter and with the loans in it."""
    shutil.rmtree(PLACE, ignore_errors=True)
    passwords = {login: new_password() for login in LOGINS}
    variables = {password_variable(login): text for login, text in passwords.items()}
    every = services_of_compose({**variables, "HEADWATER_PROJECT": str(make_project(PLACE / "project"))})
    services = {name: one for name, one in every.items() if one.parts <= ASKED}
    images = image_roots(IMAGES, (one.image for one in services.values()))
    with World(PLACE, [*services, PEOPLE], images) as world:
        world.allow(map(link_of, ARROWS))
        world.publish(
            PEOPLE,
            [
                Door(one.host, one.host_port, world.address(name), one.port)
                for name, service in services.items()
                for one in service.published
            ],
        )
        composed = Composed(world, services)
        composed.up([name for name in services if name != CLI], 900)
        yield Steps(ComposeDeployed(world, composed), passwords, PLACE / "volumes" / "trust" / "ca.pem")


def test_the_loans_go_through(steps):
    """From files to tables, charts and lineage, through the command line inside and the published ports outside."""
    loans_go_through(steps)


def test_a_service_can_write_where_it_must_and_nowhere_else(steps):
    """Its root is read-only, it is nobody in particular, and it holds no capability."""
    trino = steps.deployed.composed.running["trino"]

    assert trino.run("id", "-u").stdout == "10001\n"
    assert "CapBnd:\t0000000000000000" in trino.run("cat", "/proc/self/status").stdout
    for place in ("/x", "/opt/headwater/x", "/etc/x"):
        assert "Read-only file system" in trino.run("touch", place).stderr
    for place in ("/tmp/x", "/var/lib/headwater/x"):  # noqa: S108 - of a container
        assert trino.run("touch", place).returncode == 0  # its volume, and memory
    runner = steps.deployed.composed.running["dagster-runner"]
    for place in ("/project/x", "/var/lib/headwater/trust/x"):
        assert "Read-only file system" in runner.run("touch", place).stderr


def test_nobody_opens_another_connection(steps):
    """Nothing was refused while all arrows were open, so they are enough."""
    assert {str(one) for one in steps.deployed.world.seen("refused")} == set()
    assert steps.deployed.world.seen("used") <= set(map(link_of, ARROWS))


@pytest.mark.parametrize("arrow", ARROWS, ids=str)
def test_without_an_arrow_its_step_fails(steps, arrow):
    """The step works; with this one arrow closed it does not."""
    world, links = steps.deployed.world, [link_of(arrow)]

    fails_without(steps, step_of(arrow), lambda: world.forbid(links), lambda: world.allow(links))


def test_each_stayed_within_its_memory(steps):
    """No process was killed for taking too much."""
    assert steps.deployed.composed.killed_for_memory() == []


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
