"""A release of the chart in a world: its pods, and the stand-in for the API that Spark and Dagster start more by."""

from __future__ import annotations

import base64
import copy
import secrets
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from cluster_account import Accounts
from composed import Composed
from deployed import Deployed
from headwater.box.arrows import CLI, PEOPLE, Arrow
from headwater.box.components import all_components
from headwater.box.programs import tiers
from headwater.credentials import LOGINS, password_variable
from headwater.profile import PORTS, Profile
from paper_cluster import PaperCluster, serving
from policies import Member, ports_between
from services_of_chart import PodReader, named_pods
from wiring import Door, Link, NotReadyError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wiring import Container, World

    Done = subprocess.CompletedProcess[str]
    Object = dict[str, Any]

__all__ = ["API", "Release"]

API, _API_PORT = "kubernetes", 443
_FRESH = {"Job": {"active": 1}, "Pod": {"phase": "Pending"}}
_NAMESPACE, _INGRESS = "data", "ingress-nginx"


class Release(Deployed):
    """What a rendered chart makes, from `helm install` on.

    Args:
        world: With the hosts ``API`` and ``people``, who come in where the ingress does.
        objects: What the chart renders to.
        images: Stages of images that are not named like theirs.
    """

    def __init__(self, world: World, objects: Sequence[Object], images: Mapping[str, str]) -> None:
        self.objects = [copy.deepcopy(one) for one in objects]
        for one in self.objects:
            one["metadata"]["namespace"] = _NAMESPACE
        self._policies = [one for one in self.objects if one["kind"] == "NetworkPolicy"]
        self._accounts = Accounts(world.place / "accounts", self.objects, world.address(API), _NAMESPACE)
        self.cluster = PaperCluster(self._begin, self._end, self._accounts.may, _FRESH)
        self._reader = PodReader(
            world.place / "files", self.objects, _NAMESPACE, images, world.place / "accounts",
            {"KUBERNETES_SERVICE_HOST": world.address(API), "KUBERNETES_SERVICE_PORT": str(_API_PORT)},
        )  # fmt: skip
        self._members = [
            Member(API, "default", {}, world.address(API)),
            Member(PEOPLE, _INGRESS, {}, world.address(PEOPLE)),
        ]
        self._links: set[Link] = set()
        self._closed: set[Arrow] = set()
        # Pods that were started by the API, while they run.
        self._others: dict[str, Container] = {}
        self.killed: list[str] = []
        self._lock = threading.RLock()
        self._open = ExitStack()
        super().__init__(world, Composed(world, {}))

    def __enter__(self) -> Self:
        listening = self.world.listen(API, _API_PORT)
        self._open.enter_context(serving(self.cluster, listening, self._accounts.context()))
        for name in ("kubernetes.default.svc", "kubernetes.default", "kubernetes"):
            self.world.names[name] = self.world.address(API)
        pods = list(named_pods(self.objects))
        for pod in pods:
            self._join(pod)
        self._lead(pods)
        services = [one for pod in pods for one in self._reader.services(pod)]
        self.composed = Composed(self.world, {one.name: one for one in services})
        return self

    def __exit__(self, *what: object) -> None:
        self._open.close()

    @property
    def passwords(self) -> dict[str, str]:
        """The password of every login, as the chart made it."""
        found = self._secret("hw-passwords")
        return {login: found[password_variable(login)] for login in LOGINS}

    @property
    def authority(self) -> Path:
        """The file with the certificate that people verify Trino with."""
        path = self.world.place / "people" / "trust" / "ca.pem"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._secret("hw-trino-tls")["ca.crt"], encoding="ascii")
        return path

    def up(self, seconds: float) -> None:
        """Start every pod, that of the command line last, and return when all jobs are done and all others are ready.

        A cluster starts them in any order; one after the other's needs asks the least of the machine.

        Raises:
            NotReadyError: That was not so in time.
        """
        until = time.monotonic() + seconds
        for tier in (*tiers(all_components()), (CLI,)):
            mine = [one for one, service in self.composed.services.items() if self._component(service.at) in tier]
            self.composed.up(mine, until - time.monotonic())

    def links(self, arrow: Arrow) -> set[Link]:
        """Return what of the policies an arrow is, for the pods that there are."""
        with self._lock:
            return {one for one in self._links if self._arrow(one) == (arrow.caller, arrow.port, arrow.callee)}

    def all_links(self) -> set[Link]:
        """Return what the policies let through between the pods that there have been."""
        with self._lock:
            return set(self._links)

    def close(self, arrow: Arrow) -> None:
        """Let an arrow's connections through no longer, also those of pods that come."""
        with self._lock:
            self._closed.add(arrow)
            self.world.forbid(self.links(arrow))

    def open(self, arrow: Arrow) -> None:
        """Let them through again."""
        with self._lock:
            self._closed.discard(arrow)
            self.world.allow(self.links(arrow))

    def headwater(self, *arguments: str, timeout: float) -> Done:
        """Run the command line in its pod, as `kubectl exec` does: in the container that runs, with its variables."""
        return self.composed.running[f"hw-{CLI}-0"].run("headwater", *arguments, timeout=timeout)

    def bootstrap(self, component: str, timeout: float) -> Done:
        """Run its job's pod again."""
        job = next(
            one for one in self.objects if one["kind"] == "Job" and f"-migrate-{component}-" in one["metadata"]["name"]
        )
        return self._once(job["spec"]["template"], f"again-{component}-{secrets.token_hex(3)}", timeout)

    def release_test(self, timeout: float) -> Done:
        """Run the pod of `helm test`."""
        (pod,) = [one for one in self.objects if one["kind"] == "Pod"]
        return self._once(pod, f"test-{secrets.token_hex(3)}", timeout)

    def probe(self, program: str) -> Done:
        """Run the readiness probe of its first pod."""
        name = f"hw-{program.replace(':', '-')}-0"
        return self.composed.running[name].run(*self.composed.services[name].probe)

    def port(self, name: str) -> int:
        """Return the port, which is the Service's own."""
        return Profile.load({"HEADWATER_PROJECT": "/"}).port(name)

    def killed_for_memory(self) -> list[str]:
        """Return the pods of which the kernel has killed a process that took more than the limit."""
        return [*self.composed.killed_for_memory(), *self.killed]

    def _secret(self, name: str) -> dict[str, str]:
        (found,) = [one["data"] for one in self.objects if (one["kind"], one["metadata"]["name"]) == ("Secret", name)]
        return {key: base64.b64decode(text).decode() for key, text in found.items()}

    def _join(self, pod: Object) -> None:
        """Give a pod a host, and let through what the policies let through between it and all others."""
        name, labels = pod["metadata"]["name"], pod["metadata"]["labels"]
        with self._lock:
            me = Member(name, _NAMESPACE, labels, self.world.join(name))
            pairs = [pair for other in self._members for pair in ((me, other), (other, me))]
            links = {Link(a.name, b.name, port) for a, b in pairs for port in ports_between(self._policies, a, b)}
            self._members.append(me)
            self._links |= links
            shut = {link for arrow in self._closed for link in self.links(arrow)}
            self.world.allow(links - shut)
        known = copy.deepcopy(pod)
        known["spec"].pop("backoffLimit", None)
        known["status"] = {"phase": "Running", "podIP": me.address}
        self.cluster.change("create", (_NAMESPACE, "pods", name), known)

    def _lead(self, pods: Sequence[Object]) -> None:
        addresses: dict[str, str] = {}
        services = [one for one in self.objects if one["kind"] == "Service"]
        for number, service in enumerate(services, 1):
            spec, name = service["spec"], service["metadata"]["name"]
            mine = [one for one in pods if spec["selector"].items() <= one["metadata"]["labels"].items()]
            listening = {one["name"]: one["containerPort"] for one in mine[0]["spec"]["containers"][0]["ports"]}
            ports = {one["port"]: listening.get(one["targetPort"], one["targetPort"]) for one in spec["ports"]}
            addresses[name] = self.world.lead(number, ports, [one["metadata"]["name"] for one in mine])
        self.world.names |= addresses
        (ingress,) = [one["spec"] for one in self.objects if one["kind"] == "Ingress"]
        backends = [path["backend"]["service"] for rule in ingress["rules"] for path in rule["http"]["paths"]]
        doors = [
            Door("127.0.0.1", self.port(one["port"]["name"]), addresses[one["name"]], self.port(one["port"]["name"]))
            for one in backends
        ]
        self.world.publish(PEOPLE, doors)

    def _arrow(self, link: Link) -> tuple[str, str, str]:
        ports = {self.port(name): name for name in PORTS}
        return self._program(link.source), ports.get(link.port, ""), self._program(link.target)

    def _program(self, host: str) -> str:
        labels = next(one.labels for one in self._members if one.name == host)
        return _program_of(labels) if labels else host

    def _component(self, host: str) -> str:
        return self._program(host).partition(":")[0]

    def _once(self, template: Object, name: str, timeout: float) -> Done:
        """Run a pod like a template to its end."""
        metadata = {**template["metadata"], "name": name, "namespace": _NAMESPACE}
        pod = copy.deepcopy({**template, "apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        self._join(pod)
        until, done = time.monotonic() + timeout, None
        for service in self._reader.services(pod):
            done = self.world.once(service, (), until - time.monotonic())
            if done.returncode:
                break
        assert done is not None
        return done

    def _begin(self, one: Object) -> None:
        """Run what was asked for, as the cluster's own controllers and nodes would."""
        threading.Thread(target=self._fare, args=(copy.deepcopy(one),), daemon=True).start()

    def _fare(self, one: Object) -> None:
        job = one["metadata"]["name"] if one["kind"] == "Job" else ""
        pod = _pod_of(one) if job else one
        name = pod["metadata"]["name"]
        self._join(pod)
        try:
            code = self._run_to_end(pod)
        except NotReadyError:
            return  # the world has ended
        phase = "Failed" if code else "Succeeded"
        ended = {"name": pod["spec"]["containers"][0]["name"], "state": {"terminated": {"exitCode": code}}}
        self._tell("pods", name, {"phase": phase, "podIP": self.world.address(name), "containerStatuses": [ended]})
        if job:
            kind = {"type": "Failed" if code else "Complete", "status": "True"}
            self._tell("jobs", job, {"failed" if code else "succeeded": 1, "conditions": [kind]})

    def _run_to_end(self, pod: Object) -> int:
        code = 0
        for service in self._reader.services(pod):
            with self._lock:
                container = self._others[pod["metadata"]["name"]] = self.world.start(service)
            code = container.process.wait()
            if container.killed_for_memory:
                self.killed.append(service.name)
            if code:
                break
        return code

    def _tell(self, plural: str, name: str, status: Object) -> None:
        found = self.cluster.objects.get((_NAMESPACE, plural, name))
        if found:
            self.cluster.change("change", (_NAMESPACE, plural, name), {**copy.deepcopy(found), "status": status})

    def _end(self, one: Object) -> None:
        """End what was deleted, with what belongs to it."""
        name, kind = one["metadata"]["name"], one["kind"]
        with self._lock:
            mine = [each for each in self._others if each == name or (kind == "Job" and each.startswith(f"{name}-"))]
            going = [self._others.pop(each) for each in mine]
        for each in going:
            threading.Thread(target=each.stop, daemon=True).start()


def _program_of(labels: Mapping[str, str]) -> str:
    """Return the program that a pod is, by its label, as arrows call it."""
    component, _, role = labels["app.kubernetes.io/component"].partition("-")
    return f"{component}:{role}" if role else component


def _pod_of(job: Object) -> Object:
    name = job["metadata"]["name"]
    template = job["spec"]["template"]
    labels = {**template["metadata"].get("labels", {}), "job-name": name, "batch.kubernetes.io/job-name": name}
    metadata = {
        **template["metadata"],
        "name": f"{name}-{secrets.token_hex(3)}",
        "namespace": _NAMESPACE,
        "labels": labels,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
