"""NetworkPolicies as the wiring test's packet filter reads them."""

from __future__ import annotations

import pytest
from policies import Member, ports_between

DNS = {"ports": [{"port": 53, "protocol": "UDP"}], "to": [{"namespaceSelector": {}}]}
WEB = Member("web-0", "data", {"app": "web"}, "10.0.0.1")
STORE = Member("store-0", "data", {"app": "store"}, "10.0.0.2")
OTHER = Member("store-0", "elsewhere", {"app": "store"}, "10.0.0.3")
API = Member("kubernetes", "default", {}, "10.1.0.1")


def policy(app, *, egress=(), ingress=()):
    """Return a policy of one app's pods."""
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress", "Egress"]}
    return {"metadata": {"name": app, "namespace": "data"}, "spec": {**spec, "egress": egress, "ingress": ingress}}


def rule(key, peer, *ports):
    """Return a rule for one peer."""
    return {"ports": [{"port": port} for port in ports], key: [peer]}


TO_STORE = rule("to", {"podSelector": {"matchLabels": {"app": "store"}}}, 1, 2)
FROM_WEB = rule("from", {"podSelector": {"matchLabels": {"app": "web"}}}, 2, 3)


def test_both_sides_have_to_let_it_through():
    """What one forbids the other cannot allow, and nothing leads back."""
    policies = [policy("web", egress=[DNS, TO_STORE]), policy("store", ingress=[FROM_WEB])]

    assert ports_between(policies, WEB, STORE) == {2}
    assert ports_between(policies, STORE, WEB) == set()


def test_several_policies_of_a_pod_add_up():
    """One that forbids everything takes nothing from what another allows."""
    policies = [policy("web", egress=[TO_STORE]), policy("web"), policy("store"), policy("store", ingress=[FROM_WEB])]

    assert ports_between(policies, WEB, STORE) == {2}


def test_labels_mean_pods_of_the_policys_own_namespace():
    """A pod of the same labels elsewhere is somebody else."""
    policies = [policy("web", egress=[TO_STORE]), policy("store", ingress=[FROM_WEB])]

    assert ports_between(policies, WEB, OTHER) == set()


def test_blocks_mean_addresses_and_a_namespace_means_all_its_pods():
    """What no policy chooses lets everybody in."""
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/16"]}}
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}
    policies = [policy("web", egress=[rule("to", block, 443)], ingress=[rule("from", there, 80)])]

    assert ports_between(policies, WEB, API) == {443}
    assert ports_between(policies, WEB, STORE) == set()
    assert ports_between(policies, API, WEB) == {80}
    assert ports_between(policies, STORE, WEB) == set()


def test_what_is_not_understood_is_refused():
    """Everybody, every port, and pods that nobody restricts."""
    with pytest.raises(ValueError, match="no policy chooses"):
        ports_between([], WEB, STORE)
    with pytest.raises(ValueError, match="everybody or every port"):
        ports_between([policy("web", egress=[{"to": [{"podSelector": {}}]}])], WEB, STORE)
