"""helm/headwater, from pod to pod: each gets what it needs, finds the others, waits for them, and may call no more."""

from __future__ import annotations

import itertools
import re

import pytest
from aws_policies import resolved
from chart import (
    CASES,
    DAGSTER,
    ROOT,
    VALUES,
    component_of,
    containers,
    environment_of,
    of_kind,
    pods,
    render,
    running,
    serving,
    variables,
)
from headwater.aws.template import Template
from headwater.box.arrows import CLI, PEOPLE, arrows
from headwater.box.component import MIGRATE
from headwater.box.components import all_components
from headwater.box.wiring import CLI_LOGINS, cluster_programs, migrating
from headwater.credentials import LOGINS, password_variable, user_variable
from headwater.profile import PORTS, SETTINGS, Profile
from unstarted import FetchedBox

COMPONENTS = all_components()
LAKE = {name for name, one in COMPONENTS.items() if one.of_lake}
PROGRAMS = {one.name.replace(":", "-"): one for one in cluster_programs(COMPONENTS)}
# What leads out of the cluster to the services of an account.
ACCOUNT = {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}
# People come in by the chart's Ingress.
ARROWS = [one for one in arrows(cluster_programs(COMPONENTS)) if one.caller != PEOPLE]


def test_what_a_process_is_given_is_what_it_needs(objects):
    """The logins of the core's own list and no others; of a store of others no keys where the pods have a role."""
    for pod in pods(objects).values():
        name = component_of(pod)
        if name == "test":
            continue
        component, _, role = name.partition("-")
        logins = PROGRAMS[name].component.logins.get(PROGRAMS[name].role, ()) if name in PROGRAMS else ()
        if role == MIGRATE:
            logins = COMPONENTS[component].logins.get(MIGRATE, ())
        elif name == CLI:
            logins = CLI_LOGINS
        given = variables(pod["spec"]["containers"][0])
        wanted = {password_variable(login) for login in logins}
        if given.get("HEADWATER_S3") == "aws":
            wanted.discard(password_variable("minio"))
        if given["HEADWATER_PROFILE"] == "eks":
            wanted -= {password_variable(login) for login in LOGINS if login.partition("-")[0] in LAKE}
        assert {one for one in given if one.startswith("HEADWATER_PASSWORD_")} == wanted


def test_only_migrations_and_postgres_hold_the_superusers_password(objects):
    """What runs for long, people's own code among it, can change its own database at most."""
    variable = password_variable("postgres")
    holders = {
        component_of(pod) for pod in pods(objects).values() for one in containers(pod) if variable in variables(one)
    }

    assert {name for name in holders if not name.endswith("-migrate")} <= {"postgres"}


def test_every_variable_is_one_that_the_profile_reads(objects):
    """None is misspelt or left over."""
    known = {one.name for one in SETTINGS} | {
        make(login) for login in LOGINS for make in (password_variable, user_variable)
    }
    for pod in pods(objects).values():
        for container in containers(pod):
            given = variables(container)
            assert set(given) <= (known | {"AWS_REGION"} if given["HEADWATER_PROFILE"] == "eks" else known)
            assert given["HEADWATER_PROFILE"] in ("kubernetes", "eks")


@pytest.mark.parametrize("case", ["default", "small", "aws", "athena", "other-store", "other-database"])
def test_a_pod_renders_its_process_from_its_own_environment(case, tmp_path):
    """It has every password that it needs, shows none in its arguments, and calls others by services that there are."""
    objects = render(*CASES[case])
    services = {
        f"{host}:{port['port']}" for host, one in of_kind(objects, "Service").items() for port in one["spec"]["ports"]
    }
    for name, pod in running(objects).items():
        profile = Profile.load(environment_of(pod, tmp_path / name))
        profile.ensure_home()
        command = PROGRAMS[name].component.command(FetchedBox(profile), PROGRAMS[name].role)

        texts = [*command.argv, *(path.read_text() for path in profile.home.rglob("*") if path.is_file())]
        assert not [text for text in command.argv if "secret-of-" in text]
        named = {found for text in texts for found in re.findall(r"\bhw-[a-z-]+:\d+", text)}
        assert named <= services


def test_services_lead_to_the_ports_that_pods_listen_on(objects):
    """Under the names that the profile calls them by, each to the pods of one program."""
    profile = Profile.load({"HEADWATER_PROFILE": "kubernetes", "HEADWATER_RELEASE": "hw", "HEADWATER_PROJECT": "/"})
    found = serving(objects)
    for name, service in of_kind(objects, "Service").items():
        pod = found[service["spec"]["selector"]["app.kubernetes.io/component"]]
        labels = pod["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        listening = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert profile.host_of(port["name"]) == name
            assert port["port"] == listening[port["targetPort"]] == profile.port(port["name"])


def test_every_part_has_a_policy_and_no_pod_is_without(objects):
    """Each pod is chosen by a policy of its own besides the one that forbids all; without policies by none."""
    policies = of_kind(objects, "NetworkPolicy")
    if not policies:
        return
    assert "ingress" not in policies["hw-default"]["spec"]
    assert "egress" not in policies["hw-default"]["spec"]
    for pod in pods(objects).values():
        labels = pod["metadata"]["labels"]
        mine = [name for name, one in policies.items() if selects(one["spec"]["podSelector"], labels)]
        assert len(mine) == 2
        assert all(one["spec"]["policyTypes"] == ["Ingress", "Egress"] for one in policies.values())


def selects(selector, labels):
    """Return whether a selector of labels chooses a pod."""
    return selector["matchLabels"].items() <= labels.items()


def test_every_port_is_in_a_policy(objects):
    """What a container listens on for others is let in to by its policy, where anybody calls it."""
    policies = of_kind(objects, "NetworkPolicy")
    there = {component_of(pod) for pod in pods(objects).values()}
    called = {arrow.port for arrow in ARROWS if arrow.caller.replace(":", "-") in there}
    for name, pod in serving(objects).items():
        if not policies:
            continue
        opened = {port["port"] for rule in policies[f"hw-{name}"]["spec"]["ingress"] or () for port in rule["ports"]}
        declared = {
            one["containerPort"] for one in pod["spec"]["containers"][0].get("ports", ()) if one["name"] in called
        }
        assert declared <= opened


def test_no_rule_is_for_everybody(objects):
    """One without a peer or a port would let through whatever there is, as where the part it is about is left out."""
    for name, one in of_kind(objects, "NetworkPolicy").items():
        for key, rules in (("from", one["spec"].get("ingress")), ("to", one["spec"].get("egress"))):
            assert all(rule["ports"] and rule[key] for rule in rules or ()), name


def test_policies_let_through_the_documented_arrows_and_no_others():
    """Between Headwater's own pods, both ways of each policy say the same, and both are the core's list."""
    objects = render()
    labelled = {component_of(pod): pod["metadata"]["labels"] for pod in pods(objects).values()}
    ports = {Profile.load({"HEADWATER_PROJECT": "/"}).port(name): name for name in PORTS}
    policies = [one["spec"] for name, one in of_kind(objects, "NetworkPolicy").items() if name != "hw-default"]
    let_in, let_out = set(), set()
    for spec in policies:
        me = next(name for name, labels in labelled.items() if selects(spec["podSelector"], labels))
        let_in |= {(other, port, me) for other, port in both(spec["ingress"], "from", labelled, ports)}
        let_out |= {(me, port, other) for other, port in both(spec["egress"], "to", labelled, ports)}
    wanted = {(one.caller.replace(":", "-"), one.port, one.callee.replace(":", "-")) for one in ARROWS}

    assert let_in == let_out == wanted | {("test", "trino-tls", "trino"), ("test", "catalog", "catalog")}


def both(rules, key, labelled, ports):
    """Yield who is meant by rules, with the port, among Headwater's own pods."""
    for rule, (name, labels) in itertools.product(rules or (), labelled.items()):
        for peer in rule[key]:
            if set(peer) == {"podSelector"} and selects(peer["podSelector"], labels):
                yield name, ports[rule["ports"][0]["port"]]


def test_with_an_accounts_services_nothing_of_the_lake_is_left():
    """No pod, service, account, role, policy or password; who would call it calls the account, by TLS alone."""
    objects = render(*CASES["athena"])
    policies = of_kind(objects, "NetworkPolicy")

    assert {component_of(pod) for pod in pods(objects).values()}.isdisjoint(LAKE)
    assert not [one["metadata"]["name"] for one in objects if set(one["metadata"]["name"].split("-")) & LAKE]
    callers = {one.caller.replace(":", "-") for one in ARROWS if one.callee.partition(":")[0] in LAKE}
    there = {component_of(pod) for pod in pods(objects).values()}
    out = {name: one["spec"]["egress"] for name, one in policies.items() if name != "hw-default"}
    calling = {name.removeprefix("hw-") for name, rules in out.items() if ACCOUNT in rules}
    assert calling == {*(callers & there), "test"} == {"catalog", "cli", "dagster-runner", "superset", "test"}


def test_only_superset_is_the_reader():
    """What people click can change nothing; the roles that `headwater aws deploy` gives are of the chart's accounts."""
    objects = render(*CASES["athena"])
    whose = {component_of(pod): pod["spec"]["serviceAccountName"] for pod in pods(objects).values()}
    values = {**Template.ours().parameters({}), "Writer.Arn": "Writer", "Reader.Arn": "Reader"}
    associations = [
        resolved(one["Properties"], values)
        for one in Template.ours().body["Resources"].values()
        if one["Type"] == "AWS::EKS::PodIdentityAssociation"
    ]
    given = {one["ServiceAccount"]: one["RoleArn"] for one in associations}

    assert given == {"hw": "Writer", "hw-dagster": "Writer", "hw-superset": "Reader"}
    assert set(given) == set(of_kind(objects, "ServiceAccount")) == set(whose.values())
    assert [name for name, account in whose.items() if account == "hw-superset"] == ["superset"]


def test_the_page_shows_every_arrow():
    """docs/kubernetes.md has the same list."""
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    rows = [[part.strip(" `") for part in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("| `")]
    shown = {(row[0], row[1], callee) for row in rows if row[1] in PORTS for callee in row[2].split("`, `")}

    assert shown == {(one.caller, one.port, one.callee) for one in ARROWS}


def test_migrations_are_jobs_in_the_order_of_their_needs():
    """Beside the rest at an install, where the pods wait; before everything else on upgrade."""
    install, upgrade = (of_kind(render(*arguments), "Job") for arguments in ((), ("--is-upgrade",)))
    wanted = [name for name in migrating(COMPONENTS) if name != "postgres"]

    assert {name.split("-")[2] for name in install} == {name.split("-")[2] for name in upgrade} == set(wanted)
    assert not any("annotations" in job["metadata"] for job in install.values())
    weights = {}
    for name, job in upgrade.items():
        component = name.split("-")[2]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
        weights[component] = int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
        command = job["spec"]["template"]["spec"]["containers"][0]["command"]
        assert command == ["headwater", "migrate", "--wait", component]
    for component in wanted:
        assert all(weights[need] < weights[component] for need in COMPONENTS[component].needs if need in weights)


def test_passwords_that_an_upgrade_adds_are_there_for_its_migrations():
    """They run before the chart's Secret is changed, so they have one of their own, made first and removed."""
    secrets = of_kind(render("--is-upgrade"), "Secret")
    early = secrets["hw-passwords-migrate"]

    assert early["metadata"]["annotations"]["helm.sh/hook-weight"] == "-10"
    assert early["data"] == secrets["hw-passwords"]["data"]
    for job in of_kind(render("--is-upgrade"), "Job").values():
        for container in job["spec"]["template"]["spec"]["containers"]:
            places = [text for name, text in variables(container).items() if name.startswith("HEADWATER_PASSWORD_")]
            assert all(text.startswith("hw-passwords-migrate:") for text in places)
    assert secrets["hw-passwords"]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_pods_wait_for_their_migration(objects):
    """Whoever has a database begins when it is at this version; PostgreSQL makes its own cluster first."""
    for name, pod in running(objects).items():
        first = [one["command"] for one in pod["spec"].get("initContainers", ()) if one["command"][0] == "headwater"]
        component = PROGRAMS[name].component
        if name == "postgres":
            assert first == [["headwater", "migrate", "postgres"]]
        else:
            assert first == ([["headwater", "migrated", component.name]] if component.database else [])


def test_pages_are_reached_over_tls_by_their_own_names():
    """The processes know them too, for links and for the names that they answer to."""
    objects = render(*VALUES["production"])
    ingress = of_kind(objects, "Ingress")["hw"]["spec"]
    leads = {rule["host"]: rule["http"]["paths"][0]["backend"]["service"] for rule in ingress["rules"]}

    assert leads == {
        f"{page}.example.com": {"name": f"hw-{page}", "port": {"name": page}}
        for page in ("catalog", "dagster", "superset")
    }
    assert ingress["tls"] == [{"hosts": sorted(leads), "secretName": "headwater-tls"}]
    profile = Profile.load(
        {**variables(serving(objects)["catalog"]["spec"]["containers"][0]), "HEADWATER_PROJECT": "/"}
    )
    assert profile.url("dagster") == "https://dagster.example.com"
    assert "catalog.example.com" in profile.names("catalog")


def test_definitions_come_with_an_image():
    """The code location, the command line and every run have it; the catalog, with an image of its own, its files."""
    found = pods(render(*CASES["own-project"]))
    mine = {name for name, pod in found.items() if pod["spec"]["containers"][0]["image"] == "registry.example/sales:7"}

    assert mine == {"hw-dagster-code", "hw-cli", DAGSTER}
    first = {one["name"]: one for one in found["hw-catalog"]["spec"]["initContainers"]}["project"]
    assert (first["image"], first["command"]) == (
        "registry.example/sales:7",
        ["cp", "-R", "/project/.", "/mnt/project"],
    )
    assert not [name for name in variables(first) if "PASSWORD" in name]
