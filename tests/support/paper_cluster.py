"""A stand-in for a cluster's API, as there is no cluster where tests run: it keeps objects and says that pods do well.

What speaks to it is real: Helm, and Dagster's launcher. It shows what these ask for, in which order, and gives back
what they put; how pods fare on machines it cannot show.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Objects = dict[tuple[str, str, str], dict[str, Any]]

# plural -> kind, by the API's version
_KINDS = {
    "v1": {"configmaps": "ConfigMap", "events": "Event", "persistentvolumeclaims": "PersistentVolumeClaim",
           "pods": "Pod", "secrets": "Secret", "serviceaccounts": "ServiceAccount", "services": "Service"},
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "batch/v1": {"jobs": "Job"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"rolebindings": "RoleBinding", "roles": "Role"},
}  # fmt: skip
_DONE = {
    "Job": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
    "Pod": {"phase": "Succeeded"},
}
_WATCH_SECONDS = 0.5


class PaperCluster:
    """What the cluster holds and was asked for.

    Args:
        started: Told of every job and pod as it is made; it may change how that fares.
    """

    def __init__(self, started: Callable[[dict[str, Any]], object] = bool) -> None:
        self.started = started
        self.objects: Objects = {}
        # (verb, kind, name) of every change, in order.
        self.changes: list[tuple[str, str, str]] = []
        self._count, self._lock = 0, threading.Lock()

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a kind by name."""
        return {name: one for (_, plural, name), one in self.objects.items() if _kind(plural) == kind}

    def change(self, verb: str, place: tuple[str, str, str], one: dict[str, Any] | None) -> dict[str, Any] | None:
        """Put or remove an object and return it."""
        with self._lock:
            self._count += 1
            self.changes.append((verb, _kind(place[1]), place[2]))
            if one is None:
                return self.objects.pop(place, None)
            known = self.objects.get(place, {}).get("metadata", {})
            fresh = {"uid": str(uuid.uuid4()), "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
            kept = {name: known.get(name, text) for name, text in fresh.items()}
            one["metadata"] |= {**kept, "namespace": place[0], "resourceVersion": str(self._count)}
            one.setdefault("status", _DONE.get(one["kind"], {}))
            self.objects[place] = one
            return one


@contextmanager
def paper_cluster(folder: Path, **more: Any) -> Iterator[tuple[PaperCluster, Path]]:
    """Serve a stand-in; give it and the file that clients find it by."""
    cluster = PaperCluster(**more)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "kubeconfig"
    named = [{"name": "paper", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}]
    context = [{"name": "paper", "context": {"cluster": "paper", "user": "paper", "namespace": "data"}}]
    users = [{"name": "paper", "user": {}}]
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": named,
                "contexts": context,
                "users": users,
                "current-context": "paper",
            }
        ),
        encoding="utf-8",
    )
    try:
        yield cluster, config
    finally:
        server.shutdown()
        server.server_close()


def _kind(plural: str) -> str:
    return next(kinds[plural] for kinds in _KINDS.values() if plural in kinds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: PaperCluster

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, asked = self._asked()
        known = _discovery(path)
        if known is not None:
            self._say(known)
            return
        version, namespace, plural, name = _place(path)
        if not plural:
            self._refuse(404, "NotFound")
        elif name:
            found = self.cluster.objects.get((namespace, plural, name))
            self._say(found) if found else self._refuse(404, "NotFound")
        else:
            self._list(version, namespace, plural, asked)

    def _list(self, version: str, namespace: str, plural: str, asked: dict[str, str]) -> None:
        items = [
            one
            for (space, kind, _), one in sorted(self.cluster.objects.items())
            if kind == plural and space == namespace and _chosen(one, asked)
        ]
        if asked.get("watch") in ("true", "1"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            whole = {
                "annotations": {"k8s.io/initial-events-end": "true"},
                "resourceVersion": f"{len(self.cluster.changes)}",
            }
            mark = {"apiVersion": version, "kind": _kind(plural), "metadata": whole}
            for what, one in (*(("ADDED", one) for one in items), ("BOOKMARK", mark)):
                self.wfile.write(json.dumps({"type": what, "object": one}).encode() + b"\n")
            self.wfile.flush()
            time.sleep(_WATCH_SECONDS)
            self.close_connection = True
            return
        metadata = {"resourceVersion": str(len(self.cluster.changes))}
        self._say({"apiVersion": version, "kind": f"{_kind(plural)}List", "metadata": metadata, "items": items})

    def do_POST(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, _ = _place(path)
        one = self._body()
        place = (namespace, plural, one["metadata"]["name"])
        if place in self.cluster.objects:
            self._refuse(409, "AlreadyExists")
            return
        made = self.cluster.change("create", place, one)
        if one["kind"] in _DONE:
            self.cluster.started(one)
        self._say(made, 201)

    def do_PATCH(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, name = _place(path)
        found = self.cluster.objects.get((namespace, plural, name))
        patch = self._body()
        if not found:
            self._refuse(404, "NotFound")
            return
        self._say(self.cluster.change("change", (namespace, plural, name), _merged(found, patch)))

    def do_PUT(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, name = _place(path)
        self._say(self.cluster.change("change", (namespace, plural, name), self._body()))

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        _, namespace, plural, name = _place(path)
        self._content()  # how it shall be deleted
        if (namespace, plural, name) not in self.cluster.objects:
            self._refuse(404, "NotFound")
            return
        self._say(self.cluster.change("delete", (namespace, plural, name), None))

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path.strip("/"), {name: texts[-1] for name, texts in parse_qs(parts.query).items()}

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _body(self) -> Any:
        content = self._content()
        return _secret(content[4:]) if content.startswith(b"k8s\0") else json.loads(content or b"{}")

    def _say(self, what: Any, status: int = 200) -> None:
        content = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: int, reason: str) -> None:
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
        self._say({**said, "message": reason}, status)


def _place(path: str) -> tuple[str, str, str, str]:
    """Return version, namespace, plural and name of ``api/v1/namespaces/NS/PLURAL[/NAME[/status]]`` and the like."""
    root, *parts = path.split("/")
    of_version = 1 if root == "api" else 2
    version, parts = "/".join(parts[:of_version]), parts[of_version:]
    if len(parts) < 3 or parts[0] != "namespaces" or parts[2] not in _KINDS.get(version, ()):
        return version, "", "", ""
    return version, parts[1], parts[2], parts[3] if len(parts) > 3 else ""


def _secret(content: bytes) -> dict[str, Any]:
    """Return a Secret of Kubernetes' binary form, in which Helm's own record of a release comes."""
    told = dict(_fields(dict(_fields(content))[2]))
    metadata = list(_fields(told[1]))
    data = [dict(_fields(entry)) for number, entry in _fields(dict(_fields(content))[2]) if number == 2]
    labels = [dict(_fields(entry)) for number, entry in metadata if number == 11]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": dict(metadata)[1].decode(),
            "labels": {entry[1].decode(): entry[2].decode() for entry in labels},
        },
        "type": told[3].decode(),
        "data": {entry[1].decode(): base64.b64encode(entry[2]).decode() for entry in data},
    }


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and texts of a protobuf message; numbers that it holds are left out."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        size, at = _varint(content, at)
        if key & 7 == 2:
            yield key >> 3, content[at : at + size]
            at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (content[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if content[at - 1] < 128:
            return value, at


def _discovery(path: str) -> dict[str, Any] | None:
    if path == "version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "apis":
        groups = [version.split("/") for version in _KINDS if "/" in version]
        preferred = [(group, {"groupVersion": f"{group}/{version}", "version": version}) for group, version in groups]
        made = [{"name": group, "versions": [one], "preferredVersion": one} for group, one in preferred]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": made}
    if path.startswith("openapi/v3"):
        return _schemas(path.removeprefix("openapi/v3").strip("/"))
    version = path.partition("/")[2]
    if version not in _KINDS:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    resources = [
        {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
        for plural, kind in _KINDS[version].items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _schemas(place: str) -> dict[str, Any]:
    """Return where the schemas of each version are, or of one version that the server itself checks fields."""
    if not place:
        places = ["api/v1", *(f"apis/{version}" for version in _KINDS if "/" in version)]
        return {"paths": {one: {"serverRelativeURL": f"/openapi/v3/{one}"} for one in places}}
    group, _, version = place.partition("/")[2].rpartition("/")
    checks = {"parameters": [{"name": "fieldValidation", "in": "query"}], "responses": {}}
    return {
        "openapi": "3.0.0",
        "info": {"title": "paper", "version": "1"},
        "paths": {
            f"/{place}/namespaces/{{namespace}}/{plural}/{{name}}": {
                "patch": {
                    **checks,
                    "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
                }
            }
            for plural, kind in _KINDS[place.partition("/")[2]].items()
        },
    }


def _chosen(one: dict[str, Any], asked: dict[str, str]) -> bool:
    labels = one["metadata"].get("labels", {})
    wanted = [part.split("=", 1) for part in asked.get("labelSelector", "").split(",") if "=" in part]
    fields = [part.split("=", 1) for part in asked.get("fieldSelector", "").split(",") if "=" in part]
    return all(labels.get(name) == text for name, text in wanted) and all(
        one["metadata"]["name"] == text for name, text in fields if name == "metadata.name"
    )


def _merged(one: Any, patch: Any) -> Any:
    """Return an object with a merge patch applied; lists are replaced whole."""
    if not isinstance(patch, dict) or not isinstance(one, dict):
        return patch
    kept = {name: value for name, value in one.items() if patch.get(name, 0) is not None}
    added = {name: value for name, value in patch.items() if value is not None and not name.startswith("$")}
    return {**kept, **{name: _merged(kept.get(name), value) for name, value in added.items()}}
