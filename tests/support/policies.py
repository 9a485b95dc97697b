"""NetworkPolicies as a cluster's network reads them: which pod may open a connection to which, at which port. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Member", "ports_between"]

_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Member:
    """Who is in a cluster's network.

    Args:
        name: Of the pod.
        namespace: Its namespace's name.
        labels: The pod's.
        address: Its address.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    address: str


def ports_between(policies: Sequence[Mapping[str, Any]], one: Member, other: Member) -> set[int]:
    """Return the TCP ports of a pod that another pod may open: what both sides' policies say, if any choose them.

    Args:
        policies: All there are, of any namespace.
        one: Who opens.
        other: Who listens.

    Raises:
        ValueError: A policy says something that is not understood here, or nobody restricts these two.
    """
    out = _opened(policies, "Egress", "to", one, other)
    into = _opened(policies, "Ingress", "from", other, one)
    if out is None and into is None:
        raise ValueError(f"no policy chooses {one.name} or {other.name}: every port is open between them")
    if out is None or into is None:
        return (into if out is None else out) or set()
    return out & into


def _opened(policies: Sequence[Mapping[str, Any]], way: str, key: str, chosen: Member, peer: Member) -> set[int] | None:
    """Return what one side's policies let through; None where no policy chooses it."""
    mine = [one for one in policies if way in one["spec"]["policyTypes"] and _selects(one, chosen)]
    if not mine:
        return None
    return {port for one in mine for port in _ports(one, way.lower(), key, peer)}


def _ports(policy: Mapping[str, Any], way: str, key: str, peer: Member) -> Iterator[int]:
    for rule in policy["spec"].get(way) or ():
        peers, ports = rule.get(key), rule.get("ports")
        if not peers or not ports:
            raise ValueError(f"{policy['metadata']['name']}: a rule for everybody or every port")
        if any(_is(policy, one, peer) for one in peers):
            yield from (_number(policy, one) for one in ports if one.get("protocol", "TCP") == "TCP")


def _number(policy: Mapping[str, Any], port: Mapping[str, Any]) -> int:
    if not isinstance(port["port"], int) or "endPort" in port:
        raise ValueError(f"{policy['metadata']['name']}: a port by name, or several")
    return int(port["port"])


def _selects(policy: Mapping[str, Any], member: Member) -> bool:
    return policy["metadata"]["namespace"] == member.namespace and _fits(policy["spec"]["podSelector"], member.labels)


def _is(policy: Mapping[str, Any], peer: Mapping[str, Any], member: Member) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return _within(member.address, [block["cidr"]]) and not _within(member.address, block.get("except", ()))
    if "namespaceSelector" in peer:
        there = _fits(peer["namespaceSelector"], {_NAMESPACE: member.namespace})
    else:
        there = policy["metadata"]["namespace"] == member.namespace
    return there and _fits(peer.get("podSelector", {}), member.labels)


def _within(address: str, blocks: Iterable[str]) -> bool:
    return any(ip_address(address) in ip_network(one) for one in blocks)


def _fits(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if selector.get("matchExpressions"):
        raise ValueError("a selector by expressions")
    return selector.get("matchLabels", {}).items() <= labels.items()
