"""The pods of a rendered chart, as services: what a kubelet reads of them.

A pod is a host. Each of its containers is a service there; those that run first are jobs that the others wait for.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services import Mount, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["ACCOUNT", "PodReader", "named_pods"]

# Where a pod that may speak to the cluster's API finds its account.
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_OWNED, _KEPT = 0o2777, 0o2775
_MEBI = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}
_ALWAYS = 1000
_REFERENCE = re.compile(r"\$\((\w+)\)")


def named_pods(objects: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every pod that a release's objects make at once, each under a name of its own."""
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet"):
            # What an autoscaler decides has as many as it begins with.
            claims = one["spec"].get("volumeClaimTemplates", ())
            for number in range(one["spec"].get("replicas", _least(objects, one["metadata"]["name"]))):
                yield _pod(f"{one['metadata']['name']}-{number}", one, claims)
        elif one["kind"] == "Job":
            yield _pod(one["metadata"]["name"], one)


def _least(objects: Iterable[Mapping[str, Any]], name: str) -> int:
    scalers = [one["spec"] for one in objects if one["kind"] == "HorizontalPodAutoscaler"]
    return next((int(one["minReplicas"]) for one in scalers if one["scaleTargetRef"]["name"] == name), 1)


def _pod(name: str, owner: Mapping[str, Any], claims: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    template = owner["spec"]["template"]
    volumes = [{"name": one["metadata"]["name"], "persistentVolumeClaim": {}} for one in claims]
    spec = {**template["spec"], "volumes": [*template["spec"].get("volumes", ()), *volumes]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name, "namespace": owner["metadata"].get("namespace", "")},
        "spec": {**spec, "backoffLimit": owner["spec"].get("backoffLimit", _ALWAYS)},
    }


@dataclass(frozen=True)
class PodReader:
    """Reads pods.

    Args:
        place: Folder for the files that are mounted from ConfigMaps and Secrets.
        objects: Where those are looked up.
        namespace: Of the pods.
        images: Stages of images that are not named like theirs.
        account: Folder with what a pod is given that may speak to the cluster's API, by account.
        env: Variables that every container has.
    """

    place: Path
    objects: Sequence[Mapping[str, Any]]
    namespace: str
    images: Mapping[str, str]
    account: Path
    env: Mapping[str, str]

    def services(self, pod: Mapping[str, Any]) -> list[Service]:
        """Return a pod's containers in their order; the last is the one that the pod is there for."""
        first = [self._service(pod, one, first=True) for one in pod["spec"].get("initContainers", ())]
        (main,) = [self._service(pod, one, first=False) for one in pod["spec"]["containers"]]
        after: dict[str, str] = {}
        made = []
        for one in (*first, main):
            made.append(Service(**{**vars(one), "after": after}))
            after = {one.name: "done"}
        return made

    def _service(self, pod: Mapping[str, Any], container: Mapping[str, Any], *, first: bool) -> Service:
        name, spec = pod["metadata"]["name"], pod["spec"]
        env, own_address = self._variables(pod, container)
        command = (*container.get("command", ()), *container.get("args", ()))
        who = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        ends = first or spec.get("restartPolicy", "Always") != "Always"
        return Service(
            name=f"{name}.{container['name']}" if first else name,
            image=self.images.get(container["image"]) or _stage(container["image"]),
            argv=tuple(_REFERENCE.sub(lambda found: env.get(found[1], found[0]), one) for one in command),
            env=env,
            own_address=own_address,
            mounts=tuple(self._mounts(pod, container)),
            read_only=who.get("readOnlyRootFilesystem", False),
            user=f"{who['runAsUser']}:{who['runAsGroup']}",
            job=ends,
            tries=_tries(spec, first=first),
            probe=tuple(container.get("readinessProbe", {}).get("exec", {}).get("command", ())),
            grace=float(spec.get("terminationGracePeriodSeconds", 30)),
            memory=_mebibytes(container["resources"]["limits"]["memory"]),
            host=name,
            hostname=spec.get("hostname", name),
            networks=frozenset(),
        )

    def _variables(
        self, pod: Mapping[str, Any], container: Mapping[str, Any]
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        env, own_address = dict(self.env), []
        for one in container.get("env", ()):
            source = one.get("valueFrom", {})
            if "secretKeyRef" in source or "configMapKeyRef" in source:
                reference = source.get("secretKeyRef") or source["configMapKeyRef"]
                kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
                env[one["name"]] = self._data(kind, reference["name"])[reference["key"]].decode()
            elif source.get("fieldRef", {}).get("fieldPath") == "status.podIP":
                own_address.append(one["name"])
            elif "fieldRef" in source:
                env[one["name"]] = _field(pod, source["fieldRef"]["fieldPath"])
            else:
                env[one["name"]] = str(one.get("value") or "")
        return env, tuple(own_address)

    def _mounts(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[Mount]:
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", ())}
        for one in container.get("volumeMounts", ()):
            volume, target, read_only = volumes[one["name"]], one["mountPath"], one.get("readOnly", False)
            name = f"{pod['metadata']['name']}.{one['name']}"
            if "emptyDir" in volume:
                yield Mount(name, target, read_only=read_only, mode=_OWNED)
            elif "persistentVolumeClaim" in volume:
                yield Mount(name, target, read_only=read_only, mode=_KEPT)
            else:
                yield Mount(str(self._files(name, volume)), target, read_only=True)
        if pod["spec"].get("automountServiceAccountToken", True):
            yield Mount(str(self.account / pod["spec"]["serviceAccountName"]), ACCOUNT, read_only=True)

    def _files(self, name: str, volume: Mapping[str, Any]) -> Path:
        """Lay a ConfigMap's or Secret's files into a folder and return it."""
        source = volume.get("secret") or volume["configMap"]
        kind, of = ("Secret", source["secretName"]) if "secret" in volume else ("ConfigMap", source["name"])
        data = self._data(kind, of)
        chosen = source.get("items") or [{"key": key, "path": key} for key in data]
        folder = self.place / name
        folder.mkdir(parents=True, exist_ok=True)
        for one in chosen:
            (folder / one["path"]).write_bytes(data[one["key"]])
        return folder.absolute()

    def _data(self, kind: str, name: str) -> dict[str, bytes]:
        (found,) = [one for one in self.objects if one["kind"] == kind and one["metadata"]["name"] == name]
        data = found.get("data") or {}
        decode = base64.b64decode if kind == "Secret" else str.encode
        return {key: decode(text) for key, text in data.items()}


def _stage(image: str) -> str:
    return re.split("[:@]", image.rpartition("/")[2])[0]


def _tries(spec: Mapping[str, Any], *, first: bool) -> int:
    if spec.get("restartPolicy") == "Never":
        return 1
    return _ALWAYS if first else int(spec.get("backoffLimit", _ALWAYS)) + 1


def _mebibytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return int(int(number) * _MEBI[unit])


def _field(pod: Mapping[str, Any], path: str) -> str:
    found: Any = pod
    for part in path.split("."):
        found = found[part]
    return str(found)
