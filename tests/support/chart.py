"""The Helm chart as Helm renders it, and what of it is derived: `make chart` writes that, tests compare it."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from compose_file import image_environment
from headwater.box.arrows import CLI
from headwater.box.components import all_components
from headwater.box.runtimes import Runtimes
from headwater.box.wiring import wiring
from headwater.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "headwater"
GOLDEN = ROOT / "tests" / "deploy" / "golden"
# Rendered for, and every manifest validated against: the oldest that the chart takes, one between, and the newest.
KUBERNETES = ("1.27", "1.32", "1.37")
RELEASE = "hw"
# Every values file that the chart brings, and none at all.
VALUES = {
    "default": (),
    **{
        path.stem.removeprefix("values-"): ("--values", str(path.relative_to(ROOT)))
        for path in sorted(CHART.glob("values-*.yaml"))
    },
}

# Switches that the values files do not turn, each beside the defaults.
SWITCHES = {
    "no-spark": "spark.enabled=false",
    "no-superset": "superset.enabled=false",
    "no-dagster": "dagster.enabled=false",
    "no-catalog": "catalog.enabled=false",
    "no-cli": "cli.enabled=false",
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


class RefusedError(Exception):
    """Helm did not render; the message is its own."""


def helm(*arguments: str, check: bool = True) -> str:
    """Run Helm as the lock has it, and return what it printed."""
    program = Runtimes(Profile.load().cache).path("helm") / "helm"
    done = subprocess.run([str(program), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RefusedError(done.stderr)
    return done.stdout + done.stderr


@functools.cache
def render(*arguments: str, kubernetes: str = KUBERNETES[-1]) -> tuple[dict[str, Any], ...]:
    """Return the objects that the chart renders to.

    Raises:
        RefusedError: The values cannot be.
    """
    chart = str(CHART.relative_to(ROOT))
    text = helm("template", RELEASE, chart, "--namespace", "data", "--kube-version", kubernetes, *arguments)
    return tuple(one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one)


def of_kind(objects: Sequence[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the objects of some kinds by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


def pods(objects: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every pod that can come of a release, by what makes it: also those that Spark and Dagster will start."""
    found: dict[str, dict[str, Any]] = {}
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] == "Pod":
            found[name] = one
        elif one["kind"] == "ConfigMap":
            found |= {f"{name}/{file}": json.loads(text) for file, text in one["data"].items()}
        elif "template" in one.get("spec", {}):
            found[name] = one["spec"]["template"]
    return found


def containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a pod's containers, those that run first among them."""
    yield from pod["spec"].get("initContainers", ())
    yield from pod["spec"]["containers"]


def serving(objects: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pods that last, by what they are."""
    return {
        component_of(pod): pod for pod in pods(tuple(of_kind(objects, "Deployment", "StatefulSet").values())).values()
    }


def running(objects: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pods that last as a program of a component's, by what they are."""
    return {name: pod for name, pod in serving(objects).items() if name != CLI}


def component_of(pod: Mapping[str, Any]) -> str:
    """Return what a pod's label says it is."""
    return str(pod["metadata"]["labels"]["app.kubernetes.io/component"])


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    """Return a container's variables; a secret's text is its place."""
    found = {}
    for one in container.get("env", ()):
        source = one.get("valueFrom", {})
        reference = source.get("secretKeyRef")
        field = source.get("fieldRef", {}).get("fieldPath", "")
        found[one["name"]] = f"{reference['name']}:{reference['key']}" if reference else one.get("value", field)
    return found


def environment_of(pod: Mapping[str, Any], home: Path) -> dict[str, str]:
    """Return what a pod's process has: its image's variables, its own, and files where they are mounted.

    Args:
        pod: One that lasts.
        home: Folder to make, for what the process keeps and for these files.
    """
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
    return {**given, "HEADWATER_HOME": str(home / "home"), "HEADWATER_PROJECT": str(home)}


def core() -> str:
    """Return what the chart knows of the core, as its file has it."""
    return json.dumps(wiring(all_components(), Profile.load({"HEADWATER_PROJECT": "/"}).first_port), indent=1) + "\n"


def summary(objects: Sequence[dict[str, Any]]) -> str:
    """Return a render in short: one block per object, of all that a change should be noticed in."""
    blocks = []
    for one in sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"])):
        lines = [f"{one['kind']} {one['metadata']['name']}"]
        if "replicas" in one.get("spec", {}):
            lines.append(f"  replicas {one['spec']['replicas']}")
        if one["kind"] == "Service":
            lines.append("  ports " + " ".join(f"{port['name']}={port['port']}" for port in one["spec"]["ports"]))
        for pod in pods((one,)).values():
            for container in containers(pod):
                lines += _in_short(container)
        blocks.append("\n".join(lines))
    return "\n".join(blocks) + "\n"


def _golden(arguments: tuple[str, ...]) -> str:
    return summary(render(*arguments))


def _in_short(container: Mapping[str, Any]) -> list[str]:
    limits = container["resources"]["limits"]
    given = {name: text for name, text in variables(container).items() if not name.startswith("HEADWATER_PASSWORD")}
    logins = [name.removeprefix("HEADWATER_PASSWORD_") for name in variables(container) if name not in given]
    return [
        f"  {container['name']}: {' '.join(container['command'])}",
        f"    image {container['image']}, cpu {limits['cpu']}, memory {limits['memory']}",
        "    " + " ".join(f"{name.removeprefix('HEADWATER_')}={text}" for name, text in given.items()),
        f"    passwords {' '.join(logins) or 'none'}",
    ]


def readme() -> str:
    """Return the chart's page, made of the comments in values.yaml: `# --` describes the value below it."""
    rows, path, said = [], list[str](), ""
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        comment = re.match(r"\s*# -- (.*)", line)
        entry = re.match(r"(\s*)([\w-]+):\s*(.*)", line)
        if comment:
            said = comment[1]
        elif entry:
            path = [*path[: len(entry[1]) // 2], entry[2]]
            if said or entry[3]:
                rows.append(_row(".".join(path), entry[3], said))
            said = ""
    return _README + "".join(rows)


def _row(name: str, text: str, said: str) -> str:
    shown = f"`{text.strip(chr(34))}`" if text and text != '""' else ""
    return f"| `{name}` | {shown} | {said.replace('|', chr(92) + '|')} |\n"


_README = """\
# The chart headwater

Headwater on Kubernetes: [docs/kubernetes.md](../../docs/kubernetes.md) says how to install it, what speaks to what, and
what has been tried. Values, from `values.yaml`, whose comments make this page (`make chart`):

| value | default | what it does |
|---|---|---|
"""


# Every file that is made of others, and what makes it; the first is what the rest is rendered with.
DERIVED: dict[Path, Callable[[], str]] = {
    CHART / "files" / "core.json": core,
    CHART / "README.md": readme,
    **{GOLDEN / f"{name}.txt": partial(_golden, arguments) for name, arguments in VALUES.items()},
}


if __name__ == "__main__":
    for path, made in DERIVED.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(made(), encoding="utf-8")
        sys.stderr.write(f"{path.relative_to(ROOT)}\n")
