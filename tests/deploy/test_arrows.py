"""Who calls whom: written down once, and what docs, networks and the wiring test say of it is the same."""

from __future__ import annotations

import re

import pytest
from compose_file import ROOT, arrow_ends, compose_file, service_name
from headwater.box.arrows import PEOPLE, arrows, bootstrap
from headwater.box.component import MIGRATE
from headwater.box.components import all_components
from headwater.box.programs import programs
from headwater.box.wiring import cluster_programs
from headwater.credentials import LOGINS, password_variable
from headwater.profile import PORTS, Profile
from platform_steps import Steps, step_of

COMPONENTS = all_components()
ARROWS = arrows(programs(COMPONENTS.values()))
SERVICES = compose_file({password_variable(login): "x" for login in LOGINS})["services"]
INSIDE = [one for one in ARROWS if one.caller != PEOPLE]


def test_arrows_are_of_programs_and_ports_that_exist():
    """No role, bootstrap or port is misspelt, and each arrow is told once."""
    callers = {one.name for one in programs(COMPONENTS.values())} | {bootstrap(name) for name in COMPONENTS}

    assert {one.caller for one in INSIDE} - {"cli"} <= callers
    assert {one.port for one in ARROWS} <= set(PORTS)
    assert all(service_name(one.callee) == arrow_ends(one)[1] for one in ARROWS)
    assert len(set(ARROWS)) == len(ARROWS)
    for component in COMPONENTS.values():
        assert set(component.calls) <= {*component.roles, *component.cluster_roles, MIGRATE}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_in_the_networks_of_what_it_calls(name):
    """And in its own, where anybody calls it: two services that share none do not reach each other."""
    called = {arrow_ends(one)[1] for one in INSIDE if arrow_ends(one)[0] == name}
    own = {name} if name in {arrow_ends(one)[1] for one in INSIDE} else set()

    assert set(SERVICES[name].get("networks", ())) == called | own
    assert (SERVICES[name].get("network_mode") == "none") == (not called | own)


def test_people_call_what_is_published():
    """No port is published for nobody, and none that is called is not."""
    profile = Profile.load({"HEADWATER_PROFILE": "compose"})
    published = {int(port.split(":")[2]): name for name, one in SERVICES.items() for port in one.get("ports", ())}

    assert published == {profile.port(one.port): profile.host_of(one.port) for one in ARROWS if one.caller == PEOPLE}


def test_the_docs_show_every_arrow():
    """The table in docs/compose.md is the data."""
    text = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ((?:`[^`]+`(?:, )?)+) \|$", text, re.MULTILINE)
    shown = {(caller, port) for caller, ports in rows for port in re.findall(r"`([^`]+)`", ports)}

    assert shown == {(one.caller, one.port) for one in ARROWS}


@pytest.mark.parametrize("arrow", sorted({*ARROWS, *arrows(cluster_programs(COMPONENTS))}), ids=repr)
def test_the_wiring_test_has_a_step_that_needs_it(arrow):
    """Else an arrow could be in the list that nobody takes."""
    step = step_of(arrow)

    assert step == arrow.caller or callable(getattr(Steps, step))
