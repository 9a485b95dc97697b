"""helm/headwater: the same platform on Kubernetes, with nothing that the core does not know and nothing left open."""

from __future__ import annotations

import json
import re

import kubernetes_validate
import pytest
import yaml
from chart import (
    CASES,
    CHART,
    DAGSTER,
    DERIVED,
    FOREIGN,
    KUBERNETES,
    ROOT,
    SPARK,
    VALUES,
    RefusedError,
    component_of,
    containers,
    helm,
    of_kind,
    pods,
    render,
    running,
    serving,
    variables,
)
from headwater.box.components import all_components
from headwater.box.images import image_of
from headwater.box.programs import find
from headwater.box.wiring import cluster_programs
from headwater.credentials import LOGINS, password_variable

COMPONENTS = all_components()
PROGRAMS = {one.name.replace(":", "-"): one for one in cluster_programs(COMPONENTS)}


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
    for name, pod in running(objects).items():
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
        ("aws.enabled=true", 'the lake is in Amazon S3, but s3.url is "": set it to aws'),
        ("aws.enabled=true,s3.url=aws,s3.accessKey=k,passwords.existingSecret=p", "clear s3.accessKey, and set"),
        ("aws.enabled=true,s3.url=aws,serviceMonitor.enabled=true", "its figures are Trino's, and with aws.enabled"),
        ("aws.emr.role=writer", "at '/aws/emr/role': 'writer' does not match pattern"),
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
