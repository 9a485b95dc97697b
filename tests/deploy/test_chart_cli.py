"""helm/headwater's command line: a pod that `kubectl exec` runs Headwater's commands in, as Compose's `cli` does."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest
from chart import CASES, environment_of, of_kind, pods, render, serving
from click.testing import CliRunner
from compose_file import image_environment
from headwater.box.arrows import CLI, CLI_CALLS
from headwater.cli import headwater
from headwater.profile import Profile
from headwater.stack import Stack

BOX_ONLY = (
    ("up",), ("down",), ("status",), ("logs",), ("doctor",), ("destroy", "--yes"), ("upgrade",), ("backup",),
    ("restore", "--yes"),
)  # fmt: skip


def container():
    """Return the one that commands run in."""
    (found,) = serving(render())[CLI]["spec"]["containers"]
    return found


def test_it_lasts_until_it_is_told_to_end():
    """And then goes at once: the first process of a container gets no signal but those that it asks for."""
    argv = container()["command"]
    with subprocess.Popen(argv, start_new_session=True) as process:
        try:
            until = time.monotonic() + 10
            while not psutil.Process(process.pid).children() and time.monotonic() < until:
                time.sleep(0.01)
            assert process.poll() is None
            process.terminate()

            assert process.wait(5) == 0
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_it_is_asked_for_next_to_nothing_whether_it_works():
    """No Python is started for that; what every command reads first is there."""
    project = image_environment()["HEADWATER_PROJECT"]
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[kind]["exec"]["command"] == ["test", "-r", f"{project}/headwater.toml"]


@pytest.mark.parametrize("case", ["default", "small", "aws", "other-store", "other-database"])
def test_it_has_what_commands_take(case, tmp_path):
    """Every password that the lake's adapters want, the certificate of Trino, and addresses that are Services."""
    objects = render(*CASES[case])
    pod = serving(objects)[CLI]
    profile = Profile.load(environment_of(pod, tmp_path / "home"))
    mounted = {one["mountPath"]: one["name"] for one in pod["spec"]["containers"][0]["volumeMounts"]}
    services = {
        f"{host}:{port['port']}" for host, one in of_kind(objects, "Service").items() for port in one["spec"]["ports"]
    }

    assert set(dict(Stack.build(profile).engines)) == {"spark", "trino"}
    assert profile.store.secret_key or case == "aws"
    assert mounted[f"{image_environment()['HEADWATER_HOME']}/trust"] == "trust"
    called = set(CLI_CALLS) - ({"minio"} if profile.setting("HEADWATER_S3") else set())
    assert {profile.address(port) for port in called} <= services


@pytest.mark.parametrize("command", BOX_ONLY, ids=" ".join)
def test_what_is_for_the_box_says_so_in_a_pod(command, tmp_path):
    """With who is to be asked instead; nothing is tried."""
    given = environment_of(serving(render())[CLI], tmp_path / "home")
    done = CliRunner(env=given).invoke(headwater, command)

    assert "for example `kubectl get pods`" in str(done.exception)


def test_left_out_nothing_knows_of_it():
    """No pod, and no policy that would let one in."""
    objects = render(*CASES["no-cli"])

    assert not [name for name in (*pods(objects), *of_kind(objects, "NetworkPolicy")) if "cli" in name]
    assert "'cli'" not in str(of_kind(objects, "NetworkPolicy"))
    assert "'cli'" in str(of_kind(render(), "NetworkPolicy"))
