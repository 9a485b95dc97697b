"""What differs where components are many pods: leaders, workers, migrations elsewhere, hosted databases, jobs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
import requests
from command_line import headwater
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.components.databases import connect, ensure_database, is_migrated, mark_migrated
from headwater.box.readiness import wait_for_migration, wait_for_needs
from headwater.credentials import Credentials
from headwater.errors import ComponentError
from headwater_catalog.notices import TableState
from headwater_catalog.service.leading import Leader
from headwater_catalog.store._follow import followed
from paper_cluster import paper_cluster

pytestmark = pytest.mark.box


def until(condition, seconds=30):
    """Wait for something that has to come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Replica:
    """A process of the catalog as far as it leads or does not."""

    def __init__(self, url):
        self.working, self.times = threading.Event(), 0
        self.leader = Leader(url, self.work)

    @contextmanager
    def work(self):
        """Be seen to work."""
        self.times += 1
        self.working.set()
        try:
            yield
        finally:
            self.working.clear()


def test_one_replica_works_for_all_and_another_goes_on(database):
    """The other takes over when the leader ends, and when it loses its connection; never do both go on working."""
    first, second = Replica(database), Replica(database)
    with first.leader:
        until(first.working.is_set)
        with second.leader:
            time.sleep(2.5)
            assert not second.working.is_set()
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            until(lambda: first.working.is_set() != second.working.is_set() and first.times + second.times >= 2)
            leader, other = (first, second) if first.working.is_set() else (second, first)
            leader.leader._stop.set()
            until(other.working.is_set)
    assert not first.working.is_set()
    assert not second.working.is_set()


def test_a_slow_replica_undoes_nothing(database, store):
    """What a former leader read of the metastore before is passed over once another was further."""
    name = "curated.gone"
    there = TableState(name=name, made=datetime.now(UTC), location="s3://lake/curated/gone")
    store.resync([there], 10)
    store.resync([], 12)  # another replica has seen it go

    store.follow([], {name: there}, 11)

    with psycopg.connect(database) as connection:
        assert followed(connection) == 12
        assert connection.execute("SELECT dropped_at FROM node WHERE name = %s", (name,)).fetchone()[0]


def test_a_master_user_who_is_no_superuser_makes_databases(box):
    """As those of hosted databases are; a second time changes nothing."""
    mark = uuid.uuid4().hex[:8]
    master, owner = f"master_{mark}", f"owner_{mark}"
    logins = {**box.credentials.logins, "catalog-db": (owner, "secret")}
    try:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"CREATE ROLE {master} LOGIN CREATEROLE CREATEDB PASSWORD 'master'")
        hosted = replace(box, given=Credentials({**logins, "postgres": (master, "master")}))
        for _ in range(2):
            ensure_database(hosted, "catalog-db")
        with connect(hosted, "catalog-db") as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (owner, owner)
            connection.execute("CREATE TABLE mine (a int)")
    finally:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {owner}")
            connection.execute(f"DROP OWNED BY {master} CASCADE")
            connection.execute(f"DROP ROLE IF EXISTS {owner}")
            connection.execute(f"DROP ROLE IF EXISTS {master}")


def test_a_process_waits_until_its_migration_is_done_elsewhere(box):
    """Not before there is a database of this version; when it never comes, the sentence says what it waited for."""
    catalog, name = all_components()["catalog"], f"waiting_{uuid.uuid4().hex[:8]}"
    mine = replace(box, given=Credentials({**box.credentials.logins, "catalog-db": (name, "secret")}))
    hasty = replace(mine, settings={**mine.settings, "HEADWATER_START_TIMEOUT": "1"})
    with pytest.raises(ComponentError, match=f"catalog waits for its migration: .*refused {name}"):
        wait_for_migration(Box(hasty), catalog)
    try:
        ensure_database(mine, "catalog-db")
        assert not is_migrated(mine, catalog)
        waiting = threading.Thread(target=wait_for_migration, args=(Box(mine), catalog))
        waiting.start()
        time.sleep(1.5)
        assert waiting.is_alive()
        mark_migrated(mine, catalog)
        waiting.join(10)

        assert not waiting.is_alive()
        mark_migrated(mine, catalog)
        assert is_migrated(mine, catalog)
    finally:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(f"DROP ROLE IF EXISTS {name}")


def test_a_migration_waits_for_what_it_calls_and_nothing_else(box):
    """PostgreSQL, which is there; a need that is not says so after the time it has."""
    away = replace(box, settings={**box.settings, "HEADWATER_POSTGRES": "127.0.0.1:9", "HEADWATER_START_TIMEOUT": "1"})
    components = all_components()

    wait_for_needs(Box(box), components, components["dagster"])
    with pytest.raises(ComponentError, match="dagster needs postgres: PostgreSQL at 127.0.0.1:9 refused"):
        wait_for_needs(Box(away), components, components["dagster"])


JOB = '''"""A job of a test."""
import dagster

@dagster.op
def seven():
    return 7

@dagster.job
def count():
    seven()
'''


def test_dagsters_own_launcher_starts_a_run_as_a_pod(box, tmp_path):
    """It asks for the pod that the chart describes, and the command in it, behind our own, does the run."""
    from chart import pods, render
    from dagster import DagsterInstance, DagsterRunStatus, reconstructable
    from dagster._core.instance.ref import InstanceRef
    from dagster._core.launcher import LaunchRunContext
    from headwater_assets.lib.run_pods import pod_launcher

    headwater(box, "migrate", "dagster")
    (tmp_path / "count_job.py").write_text(JOB, encoding="utf-8")
    (tmp_path / "pod.json").write_text(json.dumps(pods(render())["hw-pods-dagster/run.json"]), encoding="utf-8")
    settings = {**box.settings, "HEADWATER_RUN_POD": str(tmp_path / "pod.json"), "HEADWATER_NAMESPACE": "data"}
    told = pod_launcher(Box(replace(box, settings=settings)), str(tmp_path / "pod.json"))
    environment = all_components()["dagster"].command(Box(box), "code").env
    os.environ.update({name: environment[name] for name in ("DAGSTER_HOME", "HEADWATER_DAGSTER_DATABASE")})
    sys.path.insert(0, str(tmp_path))
    started = []
    try:
        with paper_cluster(tmp_path, started=started.append) as (_, config):
            launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher",
                        "config": {**told, "load_incluster_config": False, "kubeconfig_file": str(config)}}  # fmt: skip
            reference = InstanceRef.from_dir(environment["DAGSTER_HOME"], overrides={"run_launcher": launcher})
            with DagsterInstance.from_ref(reference) as instance:
                job = reconstructable(importlib.import_module("count_job").count)
                run = instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())
                instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
                container = started[0]["spec"]["template"]["spec"]["containers"][0]
                _run(container, box, tmp_path)

                assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.SUCCESS
    finally:
        sys.path.remove(str(tmp_path))
    _is_the_charts_pod(started[0], container)


def _is_the_charts_pod(job, container):
    spec = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "dagster-runner"
    assert spec["serviceAccountName"] == "hw"
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["image"] == "headwater/dagster:0.1.0"
    assert container["command"] == ["headwater", "exec", "dagster:code"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert {"name": "trust", "mountPath": "/var/lib/headwater/trust", "readOnly": True} in container["volumeMounts"]


def _run(container, box, folder):
    """Do what the pod would, on this machine: its command and arguments, where this box's services are."""
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))  # noqa: PTH120
    environment = {**os.environ, **box.environment(), "PATH": path, "PYTHONPATH": str(folder)}
    for name in ("DAGSTER_HOME", "HEADWATER_DAGSTER_DATABASE"):
        environment.pop(name)
    done = subprocess.run(
        [*container["command"], *container["args"]], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.full
def test_workers_join_a_coordinator_and_leave_when_their_work_is_done(box, tmp_path):
    """A query runs on the worker alone; told to drain, it finishes the query, takes no more, and ends by itself."""
    trino = all_components()["trino"]
    settings = {**box.settings, "HEADWATER_TRINO_HEAP": "1g"}
    own = replace(box, home=tmp_path / "c", trust=tmp_path / "c" / "tls", first_port=box.first_port + 150,
                  given=box.credentials, settings={**settings, "HEADWATER_TRINO_WORKERS": "1"})  # fmt: skip
    worker = replace(
        own, home=tmp_path / "w", listen="127.0.0.2", settings={**settings, "HEADWATER_ADDRESS": "127.0.0.2"}
    )
    processes = [_trino(own, ""), _trino(worker, "worker")]
    at_worker = Box(replace(worker, host="127.0.0.2", within="trino"))
    try:
        until(lambda: _works(lambda: _ask(own, "SELECT count(*) FROM tpch.tiny.nation")), 300)
        trino.probe(at_worker, "worker")
        figures = requests.get(
            f"https://{own.address('trino-tls')}/metrics",
            auth=(own.credentials.user("trino"), own.credentials.password("trino")),
            verify=str(own.trust / "ca.pem"),
            timeout=30,
        )
        assert "trino_execution" in figures.text  # as the chart's ServiceMonitor has Prometheus ask
        nodes = _ask(own, "SELECT node_id, coordinator FROM system.runtime.nodes ORDER BY 1")
        assert nodes == [["headwater", True], ["worker-127-0-0-2", False]]
        answers = []
        query = "SELECT count(*) FROM tpch.sf1.lineitem l JOIN tpch.sf1.orders o ON l.orderkey = o.orderkey"
        asking = threading.Thread(target=lambda: answers.append(_ask(own, query)))
        asking.start()
        time.sleep(2)
        trino.drain(at_worker, "worker")

        asking.join(10)
        assert answers == [[[6001215]]]
        assert processes[1].wait(30) is not None
        with pytest.raises(ComponentError):
            trino.probe(at_worker, "worker")
    finally:
        for one in processes:
            one.kill()
            one.wait()


def _trino(profile, role):
    profile.home.mkdir()
    command = all_components()["trino"].command(Box(profile), role)
    with (profile.home / "log").open("w") as log:
        return subprocess.Popen(
            command.argv, env={**os.environ, **command.env}, cwd=command.cwd, stdout=log, stderr=subprocess.STDOUT
        )


def _works(ask):
    with suppress(Exception):
        return bool(ask())
    return False


def _ask(profile, statement):
    from headwater.box.components.trino import _connected

    with _connected(profile, timeout=120) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall()


class Executors:
    """Starts the processes of pods that Spark asks for, on addresses of this machine that are theirs alone.

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
        pod["status"] = {"phase": "Running", "podIP": address, "containerStatuses": []}
        fields = {"status.podIP": address, "metadata.name": name}
        given = {
            one["name"]: one.get("value") or fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            for one in container["env"]
        }
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))  # noqa: PTH120
        told = {name: text for name, text in given.items() if name.startswith(("SPARK_", "_SPARK_"))}
        environment = {
            **os.environ,
            **told,
            "PATH": path,
            "HEADWATER_PROJECT": str(self.folder),
            "HEADWATER_HOME": str(home),
        }
        self.pods.append(pod)
        with home.with_suffix(".log").open("w") as log:
            argv = [*container["command"], *container["args"]]
            self.processes.append(subprocess.Popen(argv, env=environment, stdout=log, stderr=subprocess.STDOUT))


@pytest.mark.full
def test_sparks_executors_are_pods_that_run_our_own_command(box, tmp_path):
    """Nothing is there before work is; then Spark asks for the chart's pod, whose command joins it and computes."""
    from chart import pods, render
    from headwater.engines.spark import SparkEngine

    (tmp_path / "executor.json").write_text(json.dumps(pods(render())["hw-pods-spark/executor.json"]), encoding="utf-8")
    settings = {**box.settings, "HEADWATER_SPARK_POD": str(tmp_path / "executor.json"), "HEADWATER_NAMESPACE": "data",
                "HEADWATER_SPARK_EXECUTORS": "1", "HEADWATER_SPARK_EXECUTOR_HEAP": "800m"}  # fmt: skip
    own = replace(box, home=tmp_path / "d", first_port=box.first_port + 200, given=box.credentials, settings=settings)
    executors = Executors(tmp_path)
    with paper_cluster(tmp_path, started=executors.start) as (cluster, config):
        driver_pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": os.uname().nodename}, "spec": {}}
        cluster.change("create", ("data", "pods", os.uname().nodename), driver_pod)
        command = all_components()["spark"].command(Box(own), "")
        defaults = Box(own).conf("spark") / "spark-defaults.conf"
        server = json.loads(config.read_text())["clusters"][0]["cluster"]["server"]
        defaults.write_text(defaults.read_text().replace("https://kubernetes.default.svc:443", server))
        with (tmp_path / "driver.log").open("w") as log:
            driver = subprocess.Popen(
                command.argv, env={**os.environ, **command.env}, cwd=command.cwd, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            until(lambda: _works(lambda: all_components()["spark"].probe(Box(own), "") is None), 240)
            assert executors.pods == [] or len(executors.pods) == 1  # the probe may be work already
            token = own.credentials.password("spark")
            engine = SparkEngine(host="127.0.0.1", port=own.port("spark"), token=token)
            rows = engine.rows("SELECT count(DISTINCT id % 1000) AS n, sum(id) AS s FROM range(0, 100000, 1, 4)")
            assert [tuple(row.values()) for row in rows] == [(1000, 4999950000)]
            container = executors.pods[0]["spec"]["containers"][0]
            assert container["image"] == "headwater/spark:0.1.0"
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert executors.pods[0]["spec"]["serviceAccountName"] == "hw"
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        finally:
            for one in (driver, *executors.processes):
                one.kill()
                one.wait()
