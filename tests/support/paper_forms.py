"""Forms in which a cluster's API is asked and answers: what it serves, Helm's own records, patches, selectors. Pure."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "chosen", "discovery", "kind_of", "patched", "place_of", "secret"]

# A requirement of a label selector ends at a comma that is in no brackets.
_REQUIREMENT = re.compile(r"(?:[^,(]|\([^)]*\))+")
_PARTS = re.compile(r"(!?[\w./-]+)(?:\s*(==|=|!=|\bin\b|\bnotin\b)\s*(.+))?")
# plural -> kind, by the API's version
KINDS = {
    "v1": {"configmaps": "ConfigMap", "events": "Event", "persistentvolumeclaims": "PersistentVolumeClaim",
           "pods": "Pod", "secrets": "Secret", "serviceaccounts": "ServiceAccount", "services": "Service"},
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "batch/v1": {"jobs": "Job"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"rolebindings": "RoleBinding", "roles": "Role"},
}  # fmt: skip


def kind_of(plural: str) -> str:
    """Return the kind of a plural."""
    return next(kinds[plural] for kinds in KINDS.values() if plural in kinds)


def place_of(path: str) -> tuple[str, str, str, str]:
    """Return version, namespace, plural and name of ``api/v1/namespaces/NS/PLURAL[/NAME[/status]]`` and the like."""
    root, *parts = path.split("/")
    of_version = 1 if root == "api" else 2
    version, parts = "/".join(parts[:of_version]), parts[of_version:]
    if len(parts) < 3 or parts[0] != "namespaces" or parts[2] not in KINDS.get(version, ()):
        return version, "", "", ""
    return version, parts[1], parts[2], parts[3] if len(parts) > 3 else ""


def secret(content: bytes) -> dict[str, Any]:
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


def discovery(path: str) -> dict[str, Any] | None:
    """Return what a path says of what there is; None where it leads to objects."""
    if path == "version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "apis":
        groups = [version.split("/") for version in KINDS if "/" in version]
        preferred = [(group, {"groupVersion": f"{group}/{version}", "version": version}) for group, version in groups]
        made = [{"name": group, "versions": [one], "preferredVersion": one} for group, one in preferred]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": made}
    if path.startswith("openapi/v3"):
        return _schemas(path.removeprefix("openapi/v3").strip("/"))
    version = path.partition("/")[2]
    if version not in KINDS:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    resources = [
        {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
        for plural, kind in KINDS[version].items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _schemas(place: str) -> dict[str, Any]:
    """Return where the schemas of each version are, or of one version that the server itself checks fields."""
    if not place:
        places = ["api/v1", *(f"apis/{version}" for version in KINDS if "/" in version)]
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
            for plural, kind in KINDS[place.partition("/")[2]].items()
        },
    }


def chosen(one: dict[str, Any], asked: dict[str, str]) -> bool:
    """Return whether the selectors of a question choose an object."""
    labels, name = one["metadata"].get("labels", {}), one["metadata"]["name"]
    fields = [part.split("=", 1) for part in asked.get("fieldSelector", "").split(",") if "=" in part]
    return all(_has(labels, part) for part in _REQUIREMENT.findall(asked.get("labelSelector", ""))) and all(
        name == text for field, text in fields if field == "metadata.name"
    )


def _has(labels: dict[str, str], requirement: str) -> bool:
    name, operator, text = _PARTS.fullmatch(requirement.strip()).groups()  # type: ignore[union-attr]
    texts = [one.strip() for one in text.strip("() ").split(",")] if text else []
    if not operator:
        return (name.lstrip("!") in labels) != name.startswith("!")
    return (labels.get(name) in texts) != (operator in ("!=", "notin"))


def patched(one: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return an object with a patch applied: one to be merged, or a list of additions, replacements and removals.

    Raises:
        TypeError: It would change a list's entry.
    """
    if not isinstance(patch, list):
        return dict(_merged(one, patch))
    made: dict[str, Any] = json.loads(json.dumps(one))
    for step in patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].strip("/").split("/")]
        place: Any = made
        for part in way:
            place = place[part]
        if not isinstance(place, dict):
            raise TypeError(f"{step['path']} is in a list")
        if step["op"] == "remove":
            place.pop(last)
        else:
            place[last] = step["value"]
    return made


def _merged(one: Any, patch: Any) -> Any:
    """Return an object with a merge patch applied; lists are replaced whole."""
    if not isinstance(patch, dict) or not isinstance(one, dict):
        return patch
    kept = {name: value for name, value in one.items() if patch.get(name, 0) is not None}
    added = {name: value for name, value in patch.items() if value is not None and not name.startswith("$")}
    return {**kept, **{name: _merged(kept.get(name), value) for name, value in added.items()}}
