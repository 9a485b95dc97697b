"""docker-compose.yml: the same platform as the box, with nothing that the core does not know and nothing left open."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files
from itertools import chain

import pytest
from compose_file import COMPOSE, MissingError, compose_file, environment_of
from headwater.box.arrows import CLI
from headwater.box.component import MIGRATE, Component
from headwater.box.components import all_components
from headwater.box.envfile import PARTS, ensure_env
from headwater.box.images import image_of
from headwater.box.programs import find, programs
from headwater.box.wiring import CLI_IMAGE, CLI_LOGINS
from headwater.credentials import LOGINS, password_variable
from headwater.errors import ConfigError
from headwater.profile import SETTINGS, Profile
from headwater.stack import Stack
from jsonschema import Draft202012Validator
from unstarted import FetchedBox

COMPONENTS = all_components()
GIVEN = {password_variable(login): f"secret-of-{login}" for login in LOGINS}
FILE = compose_file(GIVEN)
SERVICES = FILE["services"]
RUNNING = {name: one for name, one in SERVICES.items() if one["command"][:2] == ["headwater", "run"]}
JOBS = {name: one for name, one in SERVICES.items() if one["command"][:2] == ["headwater", "migrate"]}
HOME, MEMORY_MIB = "/var/lib/headwater", 8192


def program_of(service):
    """Return the component and role that a service runs."""
    return find(COMPONENTS, service["command"][2])


def mebibytes(service):
    """Return a service's memory limit."""
    return int(re.fullmatch(r"(\d+)M", service["deploy"]["resources"]["limits"]["memory"])[1])


def mounts(service):
    """Return a service's volumes by the folder that they are seen in."""
    return {one.split(":")[1]: one for one in service["volumes"]}


def test_it_is_a_compose_file():
    """It fits the compose specification's schema."""
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    found = [f"{list(error.path)}: {error.message}" for error in Draft202012Validator(schema).iter_errors(FILE)]

    assert found == []


def test_the_engine_itself_reads_it(tmp_path):
    """Where `docker compose` is, it finds the same services."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no `docker compose` on this machine")
    ensure_env(tmp_path / ".env")
    argv = [docker, "compose", "--file", str(COMPOSE), "--env-file", str(tmp_path / ".env"), "--profile", "*"]
    done = subprocess.run([*argv, "config", "--format", "json"], capture_output=True, text=True, check=True)

    assert set(json.loads(done.stdout)["services"]) == set(SERVICES)


@pytest.mark.parametrize("login", LOGINS)
def test_without_a_password_nothing_starts(login):
    """There is no default: compose stops with the name of the variable and the command that makes it."""
    given = {name: text for name, text in GIVEN.items() if name != password_variable(login)}

    with pytest.raises(MissingError, match=f"{password_variable(login)}: run `headwater init-env` first"):
        compose_file(given)


def test_every_process_of_the_box_is_a_service():
    """Each component and role once, and a job for each component that has something to migrate."""
    assert sorted(program_of(one).name for one in RUNNING.values()) == sorted(
        one.name for one in programs(COMPONENTS.values())
    )
    migrating = {name for name, one in COMPONENTS.items() if type(one).migrate is not Component.migrate}
    assert {one["command"][2] for one in JOBS.values()} == migrating
    assert {name: one["command"] for name, one in SERVICES.items() if name not in {*RUNNING, *JOBS}} == {
        "cli": ["--help"]
    }


def test_services_are_found_under_the_names_that_the_profile_has():
    """Each port's host is the service that listens on it."""
    profile = Profile.load({"HEADWATER_PROFILE": "compose"})
    for name, service in RUNNING.items():
        program = program_of(service)
        port = program.component.port(program.role)
        if port is not None:
            assert profile.host_of(port) == name


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_is_given_is_what_the_profile_reads(name):
    """No variable is misspelt or left over."""
    known = {one.name for one in SETTINGS} | {password_variable(login) for login in LOGINS}

    assert set(SERVICES[name]["environment"]) <= known
    assert SERVICES[name]["environment"]["HEADWATER_PROFILE"] == "compose"


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_renders_its_process_from_its_own_environment(name, tmp_path):
    """It has every password that it needs, shows none in its arguments, and calls others by their names."""
    given = {**environment_of(RUNNING[name]), "HEADWATER_HOME": str(tmp_path), "HEADWATER_PROJECT": str(tmp_path)}
    profile, program = Profile.load(given), program_of(RUNNING[name])
    profile.ensure_home()
    command = program.component.command(FetchedBox(profile), program.role)

    texts = [*command.argv, *(path.read_text() for path in (tmp_path / "conf").rglob("*") if path.is_file())]
    assert not [text for text in command.argv if "secret-of-" in text]
    assert not [text for text in texts if "127.0.0.1" in text]
    assert not list(tmp_path.glob("credentials*"))


@pytest.mark.parametrize(
    ("name", "login"), [("metastore", "minio"), ("trino", "trino-secret"), ("superset", "superset-db")]
)
def test_a_password_that_is_not_given_is_named(name, login, tmp_path):
    """The sentence names the variable and what makes it."""
    given = {**environment_of(RUNNING[name]), "HEADWATER_HOME": str(tmp_path), "HEADWATER_PROJECT": str(tmp_path)}
    del given[password_variable(login)]
    program = program_of(RUNNING[name])

    with pytest.raises(ConfigError, match=f"set {password_variable(login)}; `headwater init-env` makes them"):
        program.component.command(FetchedBox(Profile.load(given)), program.role)


def logins_of(name):
    """Return the logins that the core's own list has for a service."""
    if name == CLI:
        return CLI_LOGINS
    component, _, role = SERVICES[name]["command"][2].partition(":")
    return COMPONENTS[component].logins.get(MIGRATE if name in JOBS else role, ())


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_is_given_is_what_it_needs(name):
    """The passwords of the core's own list, and no others."""
    given = {one for one in SERVICES[name]["environment"] if one.startswith("HEADWATER_PASSWORD_")}

    assert given == set(map(password_variable, logins_of(name)))


def _stack(name, project):
    given = {**environment_of(SERVICES[name]), "HEADWATER_HOME": HOME, "HEADWATER_PROJECT": str(project)}
    return Stack.build(Profile.load(given))


@pytest.mark.parametrize("name", ["dagster-runner", "cli"])
def test_who_writes_to_the_lake_has_what_it_takes(name, tmp_path):
    """Every password that the lake's adapters want, and the certificate that Trino is verified with."""
    engines = dict(_stack(name, tmp_path).engines)

    assert str(engines["trino"].ca.parent) in mounts(SERVICES[name])


def test_the_catalog_sees_what_was_drawn_and_shows_rows(tmp_path):
    """It reads Superset's database, and asks Trino as the login that may only read; it has none that could write."""
    given = SERVICES["catalog"]["environment"]
    reader = _stack("catalog", tmp_path).reader(seconds=1, scanned="1MB")

    assert str(reader.ca.parent) in mounts(SERVICES["catalog"])
    assert {password_variable("superset-db"), password_variable("trino-reader")} <= set(given)
    assert not {password_variable(login) for login in ("superset-secret", "spark", "trino")} & set(given)


def test_only_jobs_hold_the_superusers_password():
    """What runs for long, people's own code among it, can change its own database at most."""
    holders = {name for name, one in SERVICES.items() if "HEADWATER_PASSWORD_POSTGRES" in one["environment"]}

    assert holders - set(JOBS) == {"postgres"}


def test_everything_starts_after_what_it_needs():
    """A job waits until its component's needs work, a process until its component's job is done."""
    for service in JOBS.values():
        waits = {name: one["condition"] for name, one in service.get("depends_on", {}).items()}
        assert waits == dict.fromkeys(COMPONENTS[service["command"][2]].needs, "service_healthy")
    for name, service in RUNNING.items():
        component = program_of(service).component.name
        if f"migrate-{component}" in JOBS:
            assert f"migrate-{component}" in before(name)
        for need, waiting in service.get("depends_on", {}).items():
            assert waiting["condition"] == ("service_completed_successfully" if need in JOBS else "service_healthy")


def before(name):
    """Return all that a service waits for, at any distance."""
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct | set(chain.from_iterable(map(before, direct)))


def test_a_part_that_is_left_out_stops_nothing_else():
    """The parts are those that init-env lists and those started by name; nobody outside of one waits for it."""
    parts = {name: tuple(one.get("profiles", ())) for name, one in SERVICES.items()}

    named = {name for name, one in COMPONENTS.items() if one.on_demand}
    assert set(chain.from_iterable(parts.values())) == {*PARTS, *named, "cli"}
    for name, own in parts.items():
        for need in before(name):
            assert parts[need] in ((), own)


def test_the_box_fits_into_eight_gibibytes():
    """What starts by itself is in bounds, and jobs take no more than the process they prepare."""
    lasting = {
        name: mebibytes(one)
        for name, one in SERVICES.items()
        if name not in JOBS and not (name in COMPONENTS and COMPONENTS[name].on_demand)
    }

    assert sum(lasting.values()) <= MEMORY_MIB
    for service in JOBS.values():
        roles = [mebibytes(one) for one in RUNNING.values() if program_of(one).component.name == service["command"][2]]
        assert mebibytes(service) <= sum(roles)
    assert all(one["deploy"]["resources"]["limits"]["pids"] > 0 for one in SERVICES.values())


@pytest.mark.parametrize(("name", "setting"), [("spark", "HEADWATER_SPARK_HEAP"), ("trino", "HEADWATER_TRINO_HEAP")])
def test_a_limit_leaves_room_beside_the_heap(name, setting):
    """Classes, compiled code and buffers take more than half as much again."""
    own = str(SERVICES[name]["environment"][setting]).removesuffix("}").rpartition(":-")[2]
    heap = own or next(one.default for one in SETTINGS if one.name == setting)
    in_mib = int(heap[:-1]) * (1024 if heap.endswith("g") else 1)

    assert mebibytes(SERVICES[name]) >= in_mib * 1.6


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_is_healthy_when_its_own_probe_says_so(name):
    """The health check is the probe of that very role, and patient at the start."""
    check = RUNNING[name]["healthcheck"]

    assert check["test"] == ["CMD", "headwater", "probe", RUNNING[name]["command"][2]]
    assert (check["interval"], check["start_period"]) == ("30s", "300s")
    assert RUNNING[name].get("stop_signal", "SIGTERM") == f"SIG{program_of(RUNNING[name]).component.stop_signal}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name):
    """No capability, no new privilege, no writing outside its volume, and our own image of this very version."""
    service = SERVICES[name]
    component = CLI_IMAGE if name == CLI else service["command"][2].partition(":")[0]

    assert (service["read_only"], service["cap_drop"], service["security_opt"], service["init"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
        True,
    )
    assert service.get("network_mode", "none") == "none"
    assert not {"privileged", "pid", "user", "cap_add", "devices"} & set(service)
    assert service["image"] == image_of(COMPONENTS[component]).tag
    assert service["pull_policy"] == "never"
    assert ("healthcheck" in service and service["restart"] == "unless-stopped") or (
        service["healthcheck"] == {"disable": True} and service["restart"] == "no"
    )


def test_only_pages_and_sql_are_published_and_on_loopback_only():
    """Each at the port that the box has it at."""
    profile = Profile.load({"HEADWATER_PROFILE": "compose"})
    published = {port: name for name, one in SERVICES.items() for port in one.get("ports", ())}
    people = {"dagster": "dagster", "superset": "superset", "trino-tls": "trino", "minio-console": "minio",
              "catalog": "catalog", "aws-api": "aws-api", "aws-api-spark": "aws-api"}  # fmt: skip

    assert published == {
        f"127.0.0.1:{profile.port(port)}:{profile.port(port)}": service for port, service in people.items()
    }


def test_volumes_are_named_and_shared_by_one_component_alone():
    """But for the certificate, which only Trino writes; the project is read."""
    used = {}
    for name, service in SERVICES.items():
        for folder, text in mounts(service).items():
            volume, _, rest = text.partition(":")
            if folder == HOME:
                used.setdefault(volume, set()).add(name if name == "cli" else service["command"][2].partition(":")[0])
            elif folder == f"{HOME}/trust":
                assert (volume, rest.endswith(":ro")) == ("trust", "trino" not in name)
            else:
                assert (folder, text) == ("/project", ".:/project:ro")
    assert {volume: {volume} for volume in used} == used
    assert set(FILE["volumes"]) == {*used, "trust"}
