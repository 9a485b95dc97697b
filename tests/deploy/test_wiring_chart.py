"""The pods of the rendered chart, started as local processes with their own commands, variables, mounts and limits.

Each has a network of its own; a packet filter lets through what the rendered NetworkPolicies say and nothing else. A
stand-in for the cluster's API starts the pods that Spark's driver and Dagster's launcher ask for, and lets each do what
the rendered roles say. The loans go through; then each arrow in turn is closed, and the step that takes it fails.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from chart import render
from compose_file import ROOT
from headwater.box.arrows import PEOPLE, Arrow, arrows
from headwater.box.components import all_components
from headwater.box.wiring import cluster_programs
from image_roots import image_roots
from platform_steps import TEST, Steps, step_of
from release import API, Release
from wired import IMAGES, fails_without, loans_go_through, make_project
from wiring import World

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
PLACE = ROOT / ".headwater-test" / "wiring-chart"
PROJECT = "registry.example/loans:1"
STAGES = ("catalog", "dagster", "metastore", "minio", "postgres", "spark", "superset", "trino")
# The smallest there is, but for more than one of what a cluster has more of; people come in by an ingress.
SET = {
    **{f"trino.workers.{one}": "2" for one in ("min", "max")},
    "startTimeoutSeconds": "1500",
    "trino.workers.heap": "1g",
    "trino.workers.resources.limits.memory": "1792Mi",
    "trino.workers.resources.requests.memory": "1792Mi",
    "spark.executors.max": "2",
    "catalog.replicas": "2",
    "project.image": PROJECT,
    "ingress.enabled": "true",
    "ingress.tlsSecret": "pages",
    **{
        f"ingress.hosts.{one}": f"{one}.example.com"
        for one in ("catalog", "dagster", "superset", "minio-console", "trino-tls")
    },
}
VALUES = ("--values", "helm/headwater/values-small.yaml", "--set", ",".join(f"{a}={b}" for a, b in SET.items()))
# A pod that calls itself leaves its network at no filter; the chart has one of these each.
ALONE = {"spark", "trino"}
ARROWS = sorted(
    [
        *(
            one
            for one in arrows(cluster_programs(all_components()))
            if not (one.caller == one.callee and one.caller in ALONE)
        ),
        *(Arrow(TEST, port, callee) for port, callee in (("catalog", "catalog"), ("trino-tls", "trino"))),
    ],
    key=lambda one: (step_of(one), one),
)


@pytest.fixture(scope="module")
def steps(tools):
    """A release, up behind its filter and with the loans' files in its project's image."""
    shutil.rmtree(PLACE, ignore_errors=True)
    project = make_project(PLACE / "image" / "project")
    images = image_roots(IMAGES, STAGES)
    # FROM dagster, with the project in /project: docs/kubernetes.md.
    dagster = images["dagster"]
    images["loans"] = replace(dagster, layers=(str(project.parent), *dagster.layers))
    with (
        World(PLACE, [API, PEOPLE], images) as world,
        Release(world, render(*VALUES), {PROJECT: "loans"}) as release,
    ):
        release.up(1800)
        yield Steps(release, release.passwords, release.authority)


def test_the_loans_go_through(steps):
    """From files to tables, charts and lineage, each run a pod of its own, Spark's work done by executors."""
    loans_go_through(steps)


def test_what_was_started_by_the_api_was_asked_for_by_its_own_roles(steps):
    """Dagster made jobs and Spark made pods, and nothing that they asked for was refused."""
    cluster = steps.deployed.cluster
    made = {kind for verb, kind, name in cluster.changes if verb == "create" and not name.startswith("hw-")}

    assert {"Job", "Pod"} <= made
    assert cluster.refused == []


def test_nobody_opens_another_connection(steps):
    """Nothing was refused while all arrows were open, so the policies are enough."""
    assert {str(one) for one in steps.deployed.world.seen("refused")} == set()
    assert steps.deployed.world.seen("used") <= steps.deployed.all_links()


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda one: f"{one} of {one.callee}")
def test_without_an_arrow_its_step_fails(steps, arrow):
    """The step works; with this one arrow closed it does not."""
    release = steps.deployed

    fails_without(steps, step_of(arrow), lambda: release.close(arrow), lambda: release.open(arrow))


def test_each_stayed_within_its_memory(steps):
    """No process was killed for taking too much."""
    assert steps.deployed.killed_for_memory() == []
