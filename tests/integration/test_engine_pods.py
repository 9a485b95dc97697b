"""Trino's workers and Spark's executors, which only a cluster has: here as processes on addresses of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from chart import pods, render
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.components.trino import _connected
from headwater.engines.spark import SparkEngine
from headwater.errors import ComponentError
from headwater.profile import Profile
from paper_cluster import paper_cluster

pytestmark = pytest.mark.full

TRINO, SPARK = all_components()["trino"], all_components()["spark"]


def profile_in(folder, **more):
    """Return a profile of its own ports, with logins."""
    port = str(int(os.environ.get("TEST_PORT", "17700")) + 150)
    made = Profile.load(HEADWATER_PROJECT=str(folder), HEADWATER_HOME=str(folder / "home"), HEADWATER_PORT=port, **more)
    made.ensure_home()
    return made


def until(condition, seconds):
    """Wait for something that has to come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def works(ask):
    """Return whether something can be asked without an error."""
    with suppress(Exception):
        ask()
        return True
    return False


def started(component, profile, role, log):
    """Become a role's process, beside this one."""
    command = component.command(Box(profile), role)
    env = {**os.environ, **command.env}
    with log.open("w") as said:
        return subprocess.Popen(command.argv, env=env, cwd=command.cwd, stdout=said, stderr=subprocess.STDOUT)


def ended(processes):
    """Leave nothing."""
    for one in processes:
        one.kill()
        one.wait()


def asked(profile, statement):
    """Run a statement on Trino."""
    with _connected(profile, timeout=120) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall()


def test_workers_join_a_coordinator_and_leave_when_their_work_is_done(tmp_path):
    """A query runs on the worker alone; told to drain, it finishes the query, takes no more, and ends by itself."""
    own = profile_in(tmp_path, HEADWATER_TRINO_HEAP="1g", HEADWATER_TRINO_WORKERS="1")
    settings = {**own.settings, "HEADWATER_ADDRESS": "127.0.0.2"}
    worker = replace(own, home=tmp_path / "worker", listen="127.0.0.2", given=own.credentials, settings=settings)
    at_worker = Box(replace(worker, host="127.0.0.2", within="trino"))
    processes = [
        started(TRINO, own, "", tmp_path / "coordinator.log"),
        started(TRINO, worker, "worker", tmp_path / "worker.log"),
    ]
    try:
        until(lambda: works(lambda: asked(own, "SELECT count(*) FROM tpch.tiny.nation")), 300)
        TRINO.probe(at_worker, "worker")
        nodes = asked(own, "SELECT node_id, coordinator FROM system.runtime.nodes ORDER BY 1")
        assert nodes == [["headwater", True], ["worker-127-0-0-2", False]]
        login = (own.credentials.user("trino"), own.credentials.password("trino"))
        figures = requests.get(
            f"https://{own.address('trino-tls')}/metrics", auth=login, verify=str(own.trust / "ca.pem"), timeout=30
        )
        assert "trino_execution" in figures.text  # as the chart's ServiceMonitor has Prometheus ask
        answers = []
        query = "SELECT count(*) FROM tpch.sf1.lineitem l JOIN tpch.sf1.orders o ON l.orderkey = o.orderkey"
        asking = threading.Thread(target=lambda: answers.append(asked(own, query)))
        asking.start()
        until(lambda: asked(own, "SELECT 1 FROM system.runtime.tasks WHERE node_id LIKE 'worker%' AND splits > 0"), 60)
        TRINO.drain(at_worker, "worker")

        asking.join(10)
        assert answers == [[[6001215]]]
        assert processes[1].wait(30) is not None
        with pytest.raises(ComponentError, match="Trino's worker at 127.0.0.2:"):
            TRINO.probe(at_worker, "worker")
    finally:
        ended(processes)


class Executors:
    """Starts what pods that Spark asks for would be, on addresses of this machine that are theirs alone.

    Args:
        folder: For their homes and logs.
    """

    def __init__(self, folder):
        self.folder, self.pods, self.processes = folder, [], []

    def start(self, pod):
        """Become what the pod would."""
        if pod["metadata"].get("labels", {}).get("spark-role") != "executor":
            return
        container, name = pod["spec"]["containers"][0], pod["metadata"]["name"]
        address, home = f"127.0.0.{len(self.pods) + 3}", self.folder / name
        pod["status"] = {"phase": "Running", "podIP": address}
        fields = {"status.podIP": address, "metadata.name": name}
        told = {
            one["name"]: one.get("value") or fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            for one in container["env"]
            if one["name"].startswith(("SPARK_", "_SPARK_"))
        }
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        places = {"HEADWATER_PROJECT": str(self.folder), "HEADWATER_HOME": str(home), "PATH": path}
        self.pods.append(pod)
        with home.with_suffix(".log").open("w") as log:
            argv = [*container["command"], *container["args"]]
            env = {**os.environ, **told, **places}
            self.processes.append(subprocess.Popen(argv, env=env, stdout=log, stderr=subprocess.STDOUT))


def test_sparks_executors_are_pods_that_run_our_own_command(tmp_path):
    """Spark asks for the chart's pod when there is work; the command in it joins the driver and computes."""
    (tmp_path / "executor.json").write_text(json.dumps(pods(render())["hw-pods-spark/executor.json"]), encoding="utf-8")
    own = profile_in(
        tmp_path,
        HEADWATER_SPARK_POD=str(tmp_path / "executor.json"),
        HEADWATER_NAMESPACE="data",
        HEADWATER_SPARK_EXECUTORS="1",
        HEADWATER_SPARK_EXECUTOR_HEAP="800m",
    )
    executors, driver = Executors(tmp_path), None
    with paper_cluster(tmp_path, started=executors.start) as (cluster, config):
        name = os.uname().nodename
        cluster.change(
            "create",
            ("data", "pods", name),
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {}},
        )
        server = json.loads(config.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
        command = SPARK.command(Box(own), "")
        defaults = Box(own).conf("spark") / "spark-defaults.conf"
        defaults.write_text(defaults.read_text().replace("https://kubernetes.default.svc:443", server))
        try:
            with (tmp_path / "driver.log").open("w") as log:
                env = {**os.environ, **command.env}
                driver = subprocess.Popen(command.argv, env=env, cwd=command.cwd, stdout=log, stderr=subprocess.STDOUT)
            until(lambda: works(lambda: SPARK.probe(Box(own), "")), 300)
            engine = SparkEngine(host="127.0.0.1", port=own.port("spark"), token=own.credentials.password("spark"))
            rows = engine.rows("SELECT count(DISTINCT id % 1000) AS n, sum(id) AS s FROM range(0, 100000, 1, 4)")

            assert [tuple(row.values()) for row in rows] == [(1000, 4999950000)]
            pod = executors.pods[0]["spec"]
            assert pod["containers"][0]["image"] == "headwater/spark:0.1.0"
            assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
            assert pod["containers"][0]["resources"]["limits"].keys() == {"cpu", "memory"}
            assert (pod["serviceAccountName"], pod["securityContext"]["runAsNonRoot"]) == ("hw", True)
        finally:
            ended([one for one in (driver, *executors.processes) if one])
