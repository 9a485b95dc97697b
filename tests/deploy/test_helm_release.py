"""A release's life, by real Helm against a stand-in for the cluster's API: installed, upgraded, tested, uninstalled."""

from __future__ import annotations

import copy

import pytest
from chart import CHART, ROOT, helm
from headwater.box.components import all_components
from headwater.box.wiring import migrating
from headwater.credentials import LOGINS, password_variable
from paper_cluster import paper_cluster

_CHART = str(CHART.relative_to(ROOT))


@pytest.fixture
def cluster(tmp_path):
    """The cluster, and Helm speaking to it."""
    with paper_cluster(tmp_path) as (cluster, config):
        where = ("--kubeconfig", str(config), "--namespace", "data")
        yield cluster, lambda *arguments: helm(*where, *arguments)


def install(run, *more):
    """Install the chart."""
    run("install", "hw", _CHART, *more)


def upgrade(run, *more):
    """Upgrade the release."""
    run("upgrade", "hw", _CHART, *more)


def secrets(cluster):
    """Return what the release's own secrets hold."""
    return {
        name: copy.deepcopy(one["data"]) for name, one in cluster.of_kind("Secret").items() if name.startswith("hw-")
    }


def test_an_upgrade_keeps_generated_secrets(cluster):
    """Passwords and certificate, over as many upgrades as there are; a password that a version adds is made."""
    cluster, run = cluster
    install(run)
    before = secrets(cluster)
    upgrade(run, "--set", "catalog.replicas=3")
    assert secrets(cluster) == before
    assert cluster.of_kind("Deployment")["hw-catalog"]["spec"]["replicas"] == 3

    added = password_variable("trino-reader")
    del cluster.of_kind("Secret")["hw-passwords"]["data"][added]
    upgrade(run)

    after = secrets(cluster)
    assert after["hw-passwords"].pop(added)
    assert before["hw-passwords"].pop(added)
    assert after == before
    assert set(before["hw-passwords"]) == {password_variable(one) for one in LOGINS} - {added}


def test_migrations_run_before_anything_else_of_an_upgrade(cluster):
    """In the order of their needs, with passwords that are there, and nothing of the hooks is left."""
    cluster, run = cluster
    install(run)
    assert len(cluster.of_kind("Job")) == 6
    cluster.changes.clear()
    upgrade(run, "--set", "catalog.replicas=3")

    kinds = [(verb, kind, name) for verb, kind, name in cluster.changes if not name.startswith("sh.helm.release")]
    jobs = [name.split("-")[2] for verb, kind, name in kinds if (verb, kind) == ("create", "Job")]
    assert kinds[0] == ("create", "Secret", "hw-passwords-migrate")
    needs = {name: one.needs for name, one in all_components().items()}
    assert sorted(jobs) == sorted(set(migrating(all_components())) - {"postgres"})
    assert all(jobs.index(need) < jobs.index(name) for name in jobs for need in needs[name] if need in jobs)
    last = max(number for number, one in enumerate(kinds) if one[:2] == ("create", "Job"))
    first = min(number for number, one in enumerate(kinds) if one[:2] == ("change", "Deployment"))
    assert last < first
    assert "hw-passwords-migrate" not in cluster.of_kind("Secret")
    assert cluster.of_kind("Job") == {}


def test_a_second_install_finds_the_passwords_of_the_first(cluster):
    """An uninstall leaves them, as the cluster leaves the volumes that open with them."""
    cluster, run = cluster
    install(run)
    passwords = secrets(cluster)["hw-passwords"]
    run("uninstall", "hw")
    assert set(secrets(cluster)) == {"hw-passwords"}
    assert cluster.of_kind("Deployment") == {}
    install(run)

    assert secrets(cluster)["hw-passwords"] == passwords


def test_an_install_says_how_to_run_commands(cluster):
    """The pod for them by name; nothing about what is left out, or has no files to read."""
    _, run = cluster
    within = "kubectl --namespace data exec deployment/hw-cli -- headwater"

    said = run("install", "hw", _CHART)
    assert f"{within} dashboards push" in said
    assert "materialize" not in said
    assert f"{within} materialize --all --stale" in run("upgrade", "hw", _CHART, "--set", "project.image=sales:7")
    assert "dashboards push" not in run("upgrade", "hw", _CHART, "--set", "superset.enabled=false")
    assert "exec deployment/hw-cli" not in run("upgrade", "hw", _CHART, "--set", "cli.enabled=false")


def test_helm_test_asks_trino_and_the_catalog(cluster):
    """With the commands that people use; the pod may call these two and nobody else."""
    cluster, run = cluster
    install(run)
    said = run("test", "hw")

    assert "Phase:          Succeeded" in said
    command = cluster.of_kind("Pod")["hw-test"]["spec"]["containers"][0]["command"]
    assert command == ["sh", "-ec", "headwater sql 'SELECT count(*) FROM tpch.tiny.nation' && headwater search nation"]
