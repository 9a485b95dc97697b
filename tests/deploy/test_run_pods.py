"""A run as a pod: Dagster's own launcher asks a stand-in for it, and what it asked for is done on this machine."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from chart import pods, render
from dagster import DagsterInstance, DagsterRunStatus, reconstructable
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.base import WorkerStatus
from headwater.box.component import Box
from headwater.profile import Profile
from headwater_assets.lib.run_pods import pod_launcher
from paper_cluster import paper_cluster

_JOB = '''"""A job of a test."""
import os
import dagster

@dagster.op
def seven():
    assert os.environ["HEADWATER_DAGSTER_DATABASE"]
    return 7

@dagster.job
def count():
    seven()
'''


@pytest.fixture
def profile(tmp_path):
    """A profile that is told what pods of runs are like: as the chart has it."""
    described = tmp_path / "pod.json"
    described.write_text(json.dumps(pods(render())["hw-pods-dagster/run.json"]), encoding="utf-8")
    more = {"HEADWATER_RUN_POD": str(described), "HEADWATER_NAMESPACE": "data", "HEADWATER_PROJECT": str(tmp_path)}
    made = Profile.load(HEADWATER_HOME=str(tmp_path / "home"), **more)
    made.ensure_home()
    return made


@contextmanager
def dagster(profile, folder):
    """Give an instance of Dagster, stored in a folder, whose launcher speaks to a stand-in, and what that is told."""
    started = []
    with paper_cluster(folder, started=started.append) as (_, config):
        told = {**pod_launcher(Box(profile), profile.setting("HEADWATER_RUN_POD")), "kubeconfig_file": str(config)}
        launcher = {
            "module": "dagster_k8s",
            "class": "K8sRunLauncher",
            "config": {**told, "load_incluster_config": False},
        }
        reference = InstanceRef.from_dir(
            str(folder), overrides={"run_launcher": launcher, "telemetry": {"enabled": False}}
        )
        with DagsterInstance.from_ref(reference) as instance:
            yield instance, started


def test_dagsters_launcher_starts_a_run_with_our_command(profile, tmp_path, monkeypatch):
    """It asks for the chart's pod; the command in it renders the configuration, and the launcher's own does the run."""
    (tmp_path / "count_job.py").write_text(_JOB, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with dagster(profile, tmp_path) as (instance, started):
        job = reconstructable(importlib.import_module("count_job").count)
        run = instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())
        instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
        done = become(started[0], profile, tmp_path)

        assert done.returncode == 0, done.stdout + done.stderr
        ended = instance.get_run_by_id(run.run_id)
        assert ended.status == DagsterRunStatus.SUCCESS
        assert instance.run_launcher.check_run_worker_health(ended).status == WorkerStatus.SUCCESS
    is_the_charts_pod(started[0])


def become(job, profile, folder):
    """Do what a pod would, on this machine: its command and arguments, with this profile's places."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **profile.environment(), "PATH": path, "PYTHONPATH": str(folder)}
    # There is no PostgreSQL here to wait for; test_cluster.py has one.
    argv = [word for word in (*container["command"], *container["args"]) if word != "--wait"]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def is_the_charts_pod(job):
    """Nothing of what the chart says of a run's pod was lost on the way through Dagster."""
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    described = pods(render())["hw-pods-dagster/run.json"]

    assert job["metadata"]["namespace"] == "data"
    assert job["spec"]["backoffLimit"] == 0
    assert described["metadata"]["labels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    for name in (
        "serviceAccountName",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "securityContext",
        "volumes",
    ):
        assert spec[name] == described["spec"][name]
    for name in ("command", "image", "imagePullPolicy", "resources", "securityContext"):
        assert container[name] == described["spec"]["containers"][0][name]
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    assert mounts == {"/var/lib/headwater", "/tmp", "/var/lib/headwater/trust"}  # noqa: S108
    wanted = {json.dumps(one, sort_keys=True) for one in described["spec"]["containers"][0]["env"]}
    assert wanted <= {json.dumps(one, sort_keys=True) for one in container["env"]}
