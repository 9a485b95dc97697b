"""The profile `kubernetes`, and what of a platform may be somebody else's: database, object store, certificate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from headwater.box.component import Box
from headwater.box.components.databases import database_address, database_url
from headwater.box.components.s3 import hadoop_settings
from headwater.box.components.spark_pods import executor_arguments, executor_heap, pod_settings
from headwater.box.components.trino import TrinoComponent
from headwater.box.components.trino_conf import write_configuration
from headwater.box.runtimes import Runtimes
from headwater.box.serving import require_supervised
from headwater.cli import headwater
from headwater.credentials import LOGINS, password_variable
from headwater.errors import ConfigError
from headwater.profile import Profile
from headwater.stack import Stack
from headwater_assets.lib.run_pods import pod_launcher

POD = {
    "metadata": {"labels": {"part": "run"}},
    "spec": {
        "serviceAccountName": "hw",
        "automountServiceAccountToken": False,
        "containers": [{"name": "run", "image": "headwater/dagster:0.1.0", "imagePullPolicy": "Never"}],
    },
}


@pytest.fixture
def given(tmp_path):
    """The environment of a pod that has every password."""
    passwords = {password_variable(login): f"secret-{login}" for login in LOGINS}
    places = {"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_HOME": str(tmp_path / "home"), "HEADWATER_RELEASE": "hw"}
    return {"HEADWATER_PROFILE": "kubernetes", **places, **passwords}


@pytest.fixture
def without_runtimes(monkeypatch, tmp_path):
    """Runtimes count as fetched."""
    monkeypatch.setattr(Runtimes, "path", lambda _, name: tmp_path / name)


def trino_settings(given, role):
    """Return the server's settings that Trino's role starts with."""
    box = Box(Profile.load(given))
    write_configuration(box, role)
    text = (box.conf("trino") / "config.properties").read_text()
    return dict(line.split("=", 1) for line in text.splitlines())


def test_services_bear_the_releases_name(given):
    """As the chart names them."""
    profile = Profile.load(given)

    assert profile.address("trino-tls") == "hw-trino:7703"
    assert profile.address("dagster-code") == "hw-dagster-code:7712"
    assert profile.names("trino-tls") == ("127.0.0.1", "localhost", "hw-trino")


def test_a_pod_probes_itself_and_not_whoever_its_service_leads_to(given):
    """Others it still calls by their services."""
    seen = Profile.load(given).seen_from("trino-tls")

    assert (seen.address("trino-tls"), seen.address("trino")) == ("127.0.0.1:7703", "127.0.0.1:7702")
    assert seen.address("metastore") == "hw-metastore:7707"
    assert Profile.load(given).seen_from(None).address("trino") == "hw-trino:7702"


def test_a_probe_here_asks_this_very_pod(given):
    """Without, it asks whoever bears the name."""
    env = {**given, "HEADWATER_PORT": "37700"}  # nothing listens on these ports
    here, anywhere = (
        CliRunner(env=env).invoke(headwater, ["probe", *more, "dagster:code"]).exception for more in (["--here"], [])
    )

    assert "Dagster's code server at 127.0.0.1:37712 does not answer" in str(here)
    assert "Dagster's code server at hw-dagster-code:37712 does not answer" in str(anywhere)


def test_a_program_runs_with_what_a_component_renders(given):
    """As Dagster's launcher has its run, in a pod that holds no configuration."""
    argv = [sys.executable, "-m", "headwater", "exec", "dagster:code", "sh", "-c", 'cat "$DAGSTER_HOME/dagster.yaml"']
    done = subprocess.run(argv, env={**os.environ, **given}, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["storage"]["postgres"]["postgres_url"] == {"env": "HEADWATER_DAGSTER_DATABASE"}
    assert "secret-" not in done.stdout


def test_people_reach_pages_by_names_of_their_own(given):
    """Links lead there, and who is called by such a name answers to it."""
    profile = Profile.load(
        {**given, "HEADWATER_URLS": "catalog=https://catalog.example.com/, dagster=https://d.example.com"}
    )

    assert profile.url("catalog") == "https://catalog.example.com"
    assert profile.url("superset") == "http://127.0.0.1:7701"
    assert profile.url("trino-tls") == "https://127.0.0.1:7703"
    assert "catalog.example.com" in profile.names("catalog")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("HEADWATER_URLS", "moon=https://x", "has 'moon=https://x'; give it as catalog=https://"),
        ("HEADWATER_URLS", "catalog=example.com", "give it as catalog=https://"),
        ("HEADWATER_POSTGRES", "db.example.com", "give a host and port such as"),
        ("HEADWATER_POSTGRES_SSLMODE", "prefer", "give disable, require, verify-full"),
        ("HEADWATER_POSTGRES_SSLMODE", "verify-full", "set HEADWATER_POSTGRES_CA, too"),
        ("HEADWATER_S3", "s3.example.com", "give aws, or a URL such as"),
        ("HEADWATER_TRINO_WORKERS", "many", "give a whole number"),
        ("HEADWATER_SPARK_EXECUTORS", "0", "give a whole number above 0"),
        ("HEADWATER_SPARK_EXECUTOR_HEAP", "2GB", "give a size such as 800m or 2g"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(given, name, text, said):
    """With what to give instead."""
    with pytest.raises(ConfigError, match=f"{name} .*{said}"):
        Profile.load({**given, name: text})


def test_a_database_of_others_is_called_where_it_is_and_over_tls(given):
    """By every client: Python's, SQLAlchemy's, Java's; its master user is named by whoever has it."""
    more = {"HEADWATER_POSTGRES": "db.example.com:5433", "HEADWATER_POSTGRES_SSLMODE": "verify-full",
            "HEADWATER_POSTGRES_CA": "/etc/ca.crt", "HEADWATER_USER_POSTGRES": "master"}  # fmt: skip
    profile = Profile.load({**given, **more})
    tls = {"sslmode": ["verify-full"], "sslrootcert": ["/etc/ca.crt"]}

    assert profile.address("postgres") == "db.example.com:5433"
    assert profile.credentials.user("postgres") == "master"
    for url in (database_url(profile, "catalog-db"), database_address(profile, "metastore-db")):
        assert "db.example.com:5433" in url
        assert parse_qs(urlsplit(url).query) == tls
    assert Profile.load(given).postgres_tls == {"sslmode": "disable"}


def test_the_lake_may_lie_in_amazons_store(given, without_runtimes):
    """No client is told an address; keys only where they were given, else each finds its role."""
    del given["HEADWATER_PASSWORD_MINIO"]
    aws = {**given, "HEADWATER_S3": "aws", "HEADWATER_BUCKET": "ours", "HEADWATER_REGION": "eu-west-1"}
    profile = Profile.load(aws)
    hadoop, stack = hadoop_settings(profile, "/tmp/x"), Stack.build(profile)  # noqa: S108
    trino_settings(aws, "")
    trino = (Box(profile).conf("trino") / "catalog" / "iceberg.properties").read_text()

    assert "fs.s3a.endpoint" not in hadoop
    assert "WebIdentityTokenFileCredentialsProvider" in hadoop["fs.s3a.aws.credentials.provider"]
    assert not [name for name in hadoop if name.endswith((".key", "ssl.enabled"))]
    assert (stack.storage.endpoint, stack.storage.access_key, stack.storage.region) == ("", "", "eu-west-1")
    assert set(stack.metastore.files) == {"s3.region", "s3.connect-timeout", "s3.request-timeout"}
    assert "s3.region=eu-west-1" in trino
    assert "s3.endpoint" not in trino
    assert "s3.aws-" not in trino
    with_keys = Profile.load({**aws, "HEADWATER_PASSWORD_MINIO": "s", "HEADWATER_USER_MINIO": "AKIA"}).store
    assert (with_keys.access_key, with_keys.secret_key) == ("AKIA", "s")


def test_another_store_is_called_by_its_own_url(given):
    """With keys always."""
    profile = Profile.load({**given, "HEADWATER_S3": "https://s3.example.com", "HEADWATER_USER_MINIO": "key"})
    hadoop = hadoop_settings(profile, "/tmp/x")  # noqa: S108

    assert hadoop["fs.s3a.endpoint"] == "https://s3.example.com"
    assert hadoop["fs.s3a.connection.ssl.enabled"] == "true"
    assert (hadoop["fs.s3a.access.key"], hadoop["fs.s3a.secret.key"]) == ("key", "secret-minio")
    del given["HEADWATER_PASSWORD_MINIO"]
    with pytest.raises(ConfigError, match="set HEADWATER_PASSWORD_MINIO"):
        _ = Profile.load({**given, "HEADWATER_S3": "https://s3.example.com"}).store


def test_a_worker_joins_the_coordinator_and_knows_no_logins_of_people(given, without_runtimes):
    """It is called by its own address; two never have the same name."""
    del given["HEADWATER_PASSWORD_TRINO"], given["HEADWATER_PASSWORD_CATALOG"]
    worker = trino_settings({**given, "HEADWATER_ADDRESS": "10.1.2.3"}, "worker")

    assert worker["coordinator"] == "false"
    assert worker["discovery.uri"].replace("\\", "") == "http://hw-trino:7702"
    assert (worker["node.id"], worker["node.internal-address"]) == ("worker-10-1-2-3", "10.1.2.3")
    assert not [name for name in worker if "https" in name or "password" in name]
    with pytest.raises(ConfigError, match="set HEADWATER_ADDRESS"):
        trino_settings(given, "worker")


def test_a_coordinator_with_workers_computes_nothing_itself(given, without_runtimes):
    """And may give a query what all of them have."""
    given |= {"HEADWATER_TRINO_HEAP": "1g", "HEADWATER_TLS": given["HEADWATER_PROJECT"]}
    with pytest.raises(ConfigError, match="has no tls.key and tls.crt to read"):
        trino_settings(given, "")
    for name in ("tls.key", "tls.crt"):
        (Profile.load(given).project / name).write_text(f"the {name}\n")
    alone, three = (trino_settings({**given, "HEADWATER_TRINO_WORKERS": count}, "") for count in ("0", "3"))

    assert [one["node-scheduler.include-coordinator"] for one in (alone, three)] == ["true", "false"]
    assert [one["query.max-memory"] for one in (alone, three)] == ["460MB", "1380MB"]
    assert (Box(Profile.load(given)).conf("trino") / "server.pem").read_text() == "the tls.key\nthe tls.crt\n"
    assert not (Profile.load(given).home / "tls").exists()


def test_spark_asks_for_pods_only_where_it_is_told_what_they_are_like(given, tmp_path):
    """Image, account and pull policy are those of the file, which is where they are written."""
    (tmp_path / "pod.json").write_text(json.dumps(POD))
    assert pod_settings(Profile.load(given)) == {}
    asked = pod_settings(Profile.load({**given, "HEADWATER_SPARK_POD": str(tmp_path / "pod.json")}))

    assert asked["spark.master"].startswith("k8s://")
    assert asked["spark.kubernetes.container.image"] == "headwater/dagster:0.1.0"
    assert asked["spark.kubernetes.container.image.pullPolicy"] == "Never"
    assert asked["spark.kubernetes.authenticate.executor.serviceAccountName"] == "hw"
    assert asked["spark.dynamicAllocation.enabled"] == "true"
    (tmp_path / "pod.json").write_text("{}")
    with pytest.raises(ConfigError, match="which describes no pod in JSON"):
        pod_settings(Profile.load({**given, "HEADWATER_SPARK_POD": str(tmp_path / "pod.json")}))


def test_an_executor_is_told_all_by_the_driver(monkeypatch):
    """Options in their order, then the main class and what that wants; started by hand, it says what is missing."""
    with pytest.raises(ConfigError, match="which sets SPARK_EXECUTOR_MEMORY; start spark itself"):
        executor_heap()
    told = {"SPARK_DRIVER_URL": "spark://d", "SPARK_EXECUTOR_ID": "1", "SPARK_EXECUTOR_CORES": "2",
            "SPARK_APPLICATION_ID": "app", "SPARK_EXECUTOR_POD_IP": "10.0.0.1", "SPARK_RESOURCE_PROFILE_ID": "0",
            "SPARK_EXECUTOR_POD_NAME": "pod", "SPARK_EXECUTOR_MEMORY": "1024m", "SPARK_JAVA_OPT_10": "-Dz=1",
            "SPARK_JAVA_OPT_2": "-Da=1", "SPARK_JAVA_OPT_3": "--add-modules=jdk.incubator.vector"}  # fmt: skip
    for name, text in told.items():
        monkeypatch.setenv(name, text)
    arguments = executor_arguments()

    assert executor_heap() == "1024m"
    assert arguments[:3] == ["-Da=1", "-Dz=1", "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"]
    assert arguments[3:7] == ["--driver-url", "spark://d", "--executor-id", "1"]


def test_runs_are_like_the_pod_that_dagster_is_given(given, tmp_path):
    """Kubernetes' words stay as they are; a run is started once."""
    (tmp_path / "pod.json").write_text(json.dumps(POD))
    told = pod_launcher(Box(Profile.load(given)), str(tmp_path / "pod.json"))

    assert (told["job_image"], told["service_account_name"]) == ("headwater/dagster:0.1.0", "hw")
    assert told["run_k8s_config"]["container_config"] == {"name": "run"}
    assert told["run_k8s_config"]["pod_spec_config"] == {"automountServiceAccountToken": False}
    assert told["run_k8s_config"]["job_spec_config"]["backoff_limit"] == 0
    with pytest.raises(ConfigError, match="HEADWATER_RUN_POD is .*, which describes no pod in JSON"):
        pod_launcher(Box(Profile.load(given)), str(tmp_path / "none.json"))


def test_commands_for_the_box_name_who_is_to_be_asked_here(given):
    """Not the container engine of another profile."""
    with pytest.raises(ConfigError, match="for example `kubectl get pods`, `kubectl logs`, or `helm upgrade`"):
        require_supervised(Profile.load(given))


def test_the_tour_says_where_credentials_are_in_a_pod(given):
    """There is no file of them."""
    done = CliRunner(env=given).invoke(headwater, ["tour"], catch_exceptions=False)

    assert "  credentials        in the environment (shown by `headwater credentials`)\n" in done.output


def test_only_a_cluster_runs_workers(given):
    """The box has no place for them."""
    assert TrinoComponent.roles == ("",)
    assert TrinoComponent.cluster_roles == ("worker",)
