"""helm/headwater: the same platform on Kubernetes, with nothing that the core does not know and nothing left open."""

from __future__ import annotations

import itertools
import json
import re

import kubernetes_validate
import pytest
import yaml
from chart import (
    CHART,
    DERIVED,
    KUBERNETES,
    ROOT,
    VALUES,
    RefusedError,
    component_of,
    containers,
    helm,
    of_kind,
    pods,
    render,
    variables,
)
from compose_file import image_environment
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.images import image_of
from headwater.box.programs import find
from headwater.box.runtimes import Runtimes
from headwater.box.wiring import arrows, cluster_programs, migrating
from headwater.credentials import LOGINS, password_variable, user_variable
from headwater.profile import PORTS, SETTINGS, Profile

COMPONENTS = all_components()
PROGRAMS = {one.name.replace(":", "-"): one for one in cluster_programs(COMPONENTS)}
# Switches that the values files do not turn, each beside the defaults.
SWITCHES = {
    "no-spark": "spark.enabled=false",
    "no-superset": "superset.enabled=false",
    "no-dagster": "dagster.enabled=false",
    "no-catalog": "catalog.enabled=false",
    "fixed-workers": "trino.workers.min=2,trino.workers.max=2",
    "no-policies": "networkPolicy.enabled=false",
    "own-passwords": "passwords.existingSecret=mine",
    "own-certificate": "trino.tls.existingSecret=mine",
    "own-project": "project.image=registry.example/sales:7",
    "digest": f"image.digests.trino=sha256:{'0' * 64}",
    "storage-class": "minio.storage.size=1Gi,minio.storage.className=fast",
    "placed": "pods.nodeSelector.pool=data,pods.priorityClassName=high",
    "alerts": "dagster.alerts.email.to=a@example.com,dagster.alerts.email.smtpSecret=mail,dagster.alerts.webhook=https://e.com",
    "other-store": "s3.url=https://s3.example.com,s3.accessKey=key,passwords.existingSecret=mine",
    "other-database": "postgres.external.host=db,passwords.existingSecret=mine",
    "trino-page": "ingress.enabled=true,ingress.tlsSecret=t,ingress.hosts.trino-tls=trino.example.com",
    "figures": "serviceMonitor.enabled=true",
}
CASES = {**VALUES, **{name: ("--set", text) for name, text in SWITCHES.items()}, "upgrade": ("--is-upgrade",)}
# Nothing of Kubernetes' own, so there is no schema of it.
FOREIGN = {"ServiceMonitor"}
SPARK, DAGSTER = "hw-pods-spark/executor.json", "hw-pods-dagster/run.json"


@pytest.fixture(params=CASES)
def objects(request):
    """What the chart renders to, for every values file and every switch."""
    return render(*CASES[request.param])


class FetchedBox(Box):
    """A box whose runtimes are taken for fetched, as they are in an image."""

    @property
    def runtimes(self):
        """Return runtimes that have a path in any case."""
        found = Runtimes(self.profile.cache)
        found.path = lambda name: self.profile.cache / "runtimes" / name
        return found


def serving(objects):
    """Return the pods that last, by what they are."""
    return {
        component_of(pod): pod for pod in pods(tuple(of_kind(objects, "Deployment", "StatefulSet").values())).values()
    }


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.name)
def test_what_is_made_of_other_files_is_up_to_date(path):
    """What the chart knows of the core, its page, and each render in short: a change shows as a diff; `make chart`."""
    assert DERIVED[path]() == path.read_text(encoding="utf-8")


def test_helm_finds_nothing_to_say():
    """`helm lint` passes, as strict as it can be, for every values file."""
    for arguments in VALUES.values():
        said = helm("lint", "--strict", str(CHART.relative_to(ROOT)), "--kube-version", KUBERNETES[-1], *arguments)
        assert re.findall(r"\[(?:WARNING|ERROR)\].*", said) == []


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_manifests_fit_kubernetes(kubernetes):
    """Every object of every case has the shape that this version's API takes, and no field that it does not know."""
    assert render(kubernetes=kubernetes)  # the chart takes this version
    for text in sorted({text for arguments in CASES.values() for text in manifests(arguments)}):
        kubernetes_validate.validate(json.loads(text), kubernetes, strict=True)


def manifests(arguments):
    """Yield a case's objects, and the pods that Spark and Dagster will make, as JSON; random texts are left out."""
    objects = render(*arguments)
    for one in objects:
        if one["kind"] not in FOREIGN:
            shown = (
                {**one, "data": dict.fromkeys(one["data"], "")} if one["kind"] == "Secret" and "data" in one else one
            )
            yield json.dumps(shown, sort_keys=True)
    for name, pod in pods(objects).items():
        if name in (SPARK, DAGSTER):
            yield json.dumps({**pod, "metadata": {"name": "any", **pod["metadata"]}}, sort_keys=True)


def test_one_object_has_one_file():
    """A template renders to no more than one object, and names of objects are not used twice."""
    chart = str(CHART.relative_to(ROOT))
    for arguments in VALUES.values():
        text = helm("template", "hw", chart, "--kube-version", KUBERNETES[-1], *arguments)
        sources = re.findall(r"^# Source: (.*)$", text, re.MULTILINE)
        assert len(sources) == len(set(sources))
        named = [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(text) if one]
        assert len(named) == len(set(named))


def test_every_pod_is_restricted(objects):
    """Pod Security's strictest standard, for every container of every pod, also of those that others will start."""
    for name, pod in pods(objects).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(spec)
        assert {kind for volume in spec["volumes"] for kind in volume} <= {"name", "emptyDir", "secret", "configMap"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container.get("ports", ()))


def test_only_who_starts_pods_may_speak_to_the_cluster(objects):
    """Spark's driver and Dagster's pages and daemon; what runs people's code has no token."""
    with_token = {component_of(pod) for pod in pods(objects).values() if pod["spec"]["automountServiceAccountToken"]}

    assert with_token <= {"spark", "dagster-webserver", "dagster-daemon"}
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    for role in of_kind(objects, "Role").values():
        assert not [rule for rule in role["rules"] if "*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])]
        assert not [rule for rule in role["rules"] if "secrets" in rule["resources"]]


def test_no_variables_come_from_the_names_of_services(objects):
    """A service named headwater would make HEADWATER_PORT a URL."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in pods(objects).values())


def test_every_container_has_requests_and_limits(objects):
    """Processor and memory, and no request beyond its limit."""
    for pod in pods(objects).values():
        for container in containers(pod):
            given = container["resources"]
            for what in ("cpu", "memory"):
                assert amount(given["requests"][what]) <= amount(given["limits"][what]), container["name"]


def amount(text):
    """Return a quantity of Kubernetes' as a number."""
    units = {"m": 0.001, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "": 1}
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", str(text)).groups()
    return float(number) * units[unit]


def test_every_image_is_pinned(objects):
    """Our own of this very version, a digest, or what a user has chosen: never a moving one."""
    known = {image_of(one).tag for one in COMPONENTS.values()}
    for pod in pods(objects).values():
        for container in containers(pod):
            image = container["image"]
            assert image in known or "@sha256:" in image or image == "registry.example/sales:7"


def test_every_lasting_container_is_probed_by_its_own_probe(objects):
    """At the start, while it serves and when it hangs; the one in this very pod, not whoever is behind the service."""
    for name, pod in serving(objects).items():
        container = pod["spec"]["containers"][0]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[kind]["exec"]["command"] == ["headwater", "probe", "--here", PROGRAMS[name].name]
        assert container["command"] == ["headwater", "run", PROGRAMS[name].name]


def test_no_password_is_written_down(objects):
    """Each comes from a Secret; those that the chart makes are random, and no other object holds one."""
    secret = [password_variable(login) for login in LOGINS]
    for pod in pods(objects).values():
        for container in containers(pod):
            for name, place in variables(container).items():
                assert name not in secret or place.endswith(f":{name}")
    made = [one["data"] for one in of_kind(objects, "Secret").values() if one["type"] == "Opaque"]
    assert all(data.keys() == set(secret) and len(set(data.values())) == len(secret) for data in made)
    assert all(data == made[0] for data in made)


def test_passwords_of_two_installs_differ():
    """There is no default."""
    chart, asked = (
        str(CHART.relative_to(ROOT)),
        ("--kube-version", KUBERNETES[-1], "-s", "templates/secret-passwords.yaml"),
    )
    first, second = (yaml.safe_load(helm("template", "hw", chart, *asked))["data"] for _ in range(2))

    assert not set(first.values()) & set(second.values())


def test_what_a_process_is_given_is_what_it_needs(objects):
    """The logins of the core's own list and no others; of a store of others no keys where the pods have a role."""
    for pod in pods(objects).values():
        name = component_of(pod)
        if name == "test":
            continue
        component, _, role = name.partition("-")
        logins = PROGRAMS[name].component.logins.get(PROGRAMS[name].role, ()) if name in PROGRAMS else ()
        if role == "migrate":
            logins = COMPONENTS[component].logins.get("migrate", ())
        given = variables(pod["spec"]["containers"][0])
        wanted = {password_variable(login) for login in logins}
        if given.get("HEADWATER_S3") == "aws":
            wanted.discard(password_variable("minio"))
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
            assert set(variables(container)) <= known
            assert variables(container)["HEADWATER_PROFILE"] == "kubernetes"


@pytest.mark.parametrize("case", ["default", "small", "aws", "other-store", "other-database"])
def test_a_pod_renders_its_process_from_its_own_environment(case, tmp_path):
    """It has every password that it needs, shows none in its arguments, and calls others by services that there are."""
    objects = render(*CASES[case])
    services = {
        f"{host}:{port['port']}" for host, one in of_kind(objects, "Service").items() for port in one["spec"]["ports"]
    }
    for name, pod in serving(objects).items():
        profile = Profile.load(environment(pod, tmp_path / name))
        profile.ensure_home()
        command = PROGRAMS[name].component.command(FetchedBox(profile), PROGRAMS[name].role)

        texts = [*command.argv, *(path.read_text() for path in profile.home.rglob("*") if path.is_file())]
        assert not [text for text in command.argv if "secret-of-" in text]
        named = {found for text in texts for found in re.findall(r"\bhw-[a-z-]+:\d+", text)}
        assert named <= services


def environment(pod, home, **more):
    """Return what a pod's process has: its image's variables, its own, and files where they are mounted."""
    home.mkdir(parents=True)
    given = {**image_environment(), **variables(pod["spec"]["containers"][0]), "HEADWATER_ADDRESS": "10.0.0.7"}
    given = {
        name: f"secret-of-{text}" if name.startswith("HEADWATER_PASSWORD_") else text for name, text in given.items()
    }
    pod_file = home / "pod.json"
    for setting, made in (("HEADWATER_SPARK_POD", SPARK), ("HEADWATER_RUN_POD", DAGSTER)):
        if setting in given:
            pod_file.write_text(json.dumps(pods(render())[made]), encoding="utf-8")
            given[setting] = str(pod_file)
    if "HEADWATER_TLS" in given:
        for file in ("tls.key", "tls.crt"):
            (home / file).write_text(f"{file}\n", encoding="ascii")
        given["HEADWATER_TLS"] = str(home)
    return {**given, "HEADWATER_HOME": str(home / "home"), "HEADWATER_PROJECT": str(home), **more}


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
    called = {arrow.port for arrow in arrows(COMPONENTS)}
    for name, pod in serving(objects).items():
        if not policies:
            continue
        opened = {port["port"] for rule in policies[f"hw-{name}"]["spec"]["ingress"] or () for port in rule["ports"]}
        declared = {
            one["containerPort"] for one in pod["spec"]["containers"][0].get("ports", ()) if one["name"] in called
        }
        assert declared <= opened


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
    wanted = {(one.caller.replace(":", "-"), one.port, one.callee.replace(":", "-")) for one in arrows(COMPONENTS)}

    assert let_in == let_out == wanted | {("test", "trino-tls", "trino"), ("test", "catalog", "catalog")}


def both(rules, key, labelled, ports):
    """Yield who is meant by rules, with the port, among Headwater's own pods."""
    for rule, (name, labels) in itertools.product(rules or (), labelled.items()):
        for peer in rule[key]:
            if set(peer) == {"podSelector"} and selects(peer["podSelector"], labels):
                yield name, ports[rule["ports"][0]["port"]]


def test_the_page_shows_every_arrow():
    """docs/kubernetes.md has the same list."""
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    rows = [[part.strip(" `") for part in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("| `")]
    shown = {(row[0], row[1], callee) for row in rows if row[1] in PORTS for callee in row[2].split("`, `")}

    assert shown == {(one.caller, one.port, one.callee) for one in arrows(COMPONENTS)}


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
    for name, pod in serving(objects).items():
        first = [one["command"] for one in pod["spec"].get("initContainers", ()) if one["command"][0] == "headwater"]
        component = PROGRAMS[name].component
        if name == "postgres":
            assert first == [["headwater", "migrate", "postgres"]]
        else:
            assert first == ([["headwater", "migrated", component.name]] if component.database else [])


def test_workers_finish_their_work_before_they_go():
    """The hook drains; Kubernetes waits for it; and one goes at a time."""
    objects = render()
    pod = serving(objects)["trino-worker"]["spec"]

    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["headwater", "drain", "trino:worker"]
    assert pod["terminationGracePeriodSeconds"] == 900
    assert of_kind(objects, "PodDisruptionBudget")["hw-trino-worker"]["spec"]["maxUnavailable"] == 1
    scaler = of_kind(objects, "HorizontalPodAutoscaler")["hw-trino-worker"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 3)
    assert "replicas" not in of_kind(objects, "Deployment")["hw-trino-worker"]["spec"]
    assert of_kind(objects, "Service")["hw-trino"]["spec"]["publishNotReadyAddresses"] is True


def test_the_small_one_fits_on_one_node():
    """With a run and an executor at once, and Kubernetes' own parts beside, 8 GiB hold what is requested."""
    objects = render(*VALUES["small"])
    asked = [
        sum(amount(one["resources"]["requests"]["memory"]) for one in pod["spec"]["containers"])
        for name, pod in pods(objects).items()
        if not name.startswith(("hw-migrate", "hw-test"))
    ]

    assert sum(asked) <= 7.25 * 2**30


@pytest.mark.parametrize("case", VALUES)
def test_a_limit_leaves_room_beside_the_heap(case):
    """Classes, compiled code and buffers take more than half as much again, up to 3 GiB."""
    for pod in serving(render(*VALUES[case])).values():
        container = pod["spec"]["containers"][0]
        given = variables(container)
        heap = given.get("HEADWATER_TRINO_HEAP") or given.get("HEADWATER_SPARK_HEAP")
        if heap:
            in_bytes = int(heap[:-1]) * (2**30 if heap.endswith("g") else 2**20)
            room = amount(container["resources"]["limits"]["memory"]) - in_bytes
            assert room >= min(in_bytes * 0.6, 3 * 2**30)


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
    """The code location and every run have it; the catalog, which has an image of its own, gets its files."""
    found = pods(render(*CASES["own-project"]))
    mine = {name for name, pod in found.items() if pod["spec"]["containers"][0]["image"] == "registry.example/sales:7"}

    assert mine == {"hw-dagster-code", DAGSTER}
    first = {one["name"]: one for one in found["hw-catalog"]["spec"]["initContainers"]}["project"]
    assert (first["image"], first["command"]) == (
        "registry.example/sales:7",
        ["cp", "-R", "/project/.", "/mnt/project"],
    )
    assert not [name for name in variables(first) if "PASSWORD" in name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("trino.workers.min=two", "at '/trino/workers/min': got string, want integer"),
        ("trnio.heap=1g", "additional properties 'trnio' not allowed"),
        ("spark.heap=lots", "at '/spark/heap': 'lots' does not match pattern"),
        ("image.tag=latest", "at '/image/tag': 'not' failed"),
        ("project.image=sales:latest", "at '/project/image': 'not' failed"),
        ("trino.workers.max=0", "trino.workers.max is 0 and trino.workers.min is 1; give a max that is not below min."),
        ("trino.workers.min=0", "trino.workers.min is 0 although there may be workers; give at least 1, or set"),
        ("postgres.external.host=db", "whose password only you know: set passwords.existingSecret"),
        ("s3.url=https://s3.example.com", "set s3.accessKey, and passwords.existingSecret"),
        ("s3.accessKey=key", "s3.accessKey is set, whose secret key only you know"),
        ("s3.accessKey=key,passwords.existingSecret=p", "but s3.url is empty, so MinIO is in this release"),
        ("ingress.enabled=true", "pages take passwords: set ingress.tlsSecret"),
        ("ingress.enabled=true,ingress.tlsSecret=t", "no page has a name: set at least one of ingress.hosts"),
        ("dagster.alerts.email.to=a@b.c", "set dagster.alerts.email.smtpSecret to a Secret"),
        (
            "postgres.external.host=db,postgres.external.sslmode=verify-full,passwords.existingSecret=p",
            "set postgres.external.caConfigMap to a ConfigMap",
        ),
    ],
)
def test_bad_values_stop_the_render_with_a_sentence(given, said):
    """What is wrong by name, and what to do."""
    with pytest.raises(RefusedError, match=re.escape(said)):
        render("--set", given)


def test_every_value_is_in_the_schema_and_described():
    """The schema knows each value and nothing else; the page has a line for each."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    page = (CHART / "README.md").read_text(encoding="utf-8")

    assert [name for name in schema["properties"] if name not in (*values, "global")] == []
    for name in values:
        assert name in schema["properties"]
        assert f"| `{name}` |" in page


def test_the_version_is_headwaters_own():
    """Images are asked for by the version of the core that wrote the chart's list."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert image_of(COMPONENTS["trino"]).tag == f"headwater/trino:{chart['appVersion']}"
    assert chart["version"] == chart["appVersion"]
    assert find(COMPONENTS, "trino:worker").name == "trino:worker"
