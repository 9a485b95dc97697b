"""The profile `compose`: components in containers, which know each other by name."""

from __future__ import annotations

import re
import stat
from concurrent import futures

import grpc
import pytest
from click.testing import CliRunner
from headwater.box.component import Box
from headwater.box.components import postgres, tls
from headwater.box.serving import require_running, was_stopped
from headwater.cli import headwater
from headwater.credentials import LOGINS, password_variable
from headwater.engines import spark
from headwater.errors import ConfigError
from headwater.profile import PORTS, Profile
from headwater.stack import Stack


@pytest.fixture
def given(tmp_path):
    """The environment of a container that has every password."""
    passwords = {password_variable(login): f"secret-{login}" for login in LOGINS}
    places = {"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_HOME": str(tmp_path / "home")}
    return {"HEADWATER_PROFILE": "compose", **places, **passwords}


@pytest.fixture
def profile(given):
    """Its profile."""
    return Profile.load(given)


def test_components_reach_each_other_by_name_and_people_on_loopback(profile):
    """Every port has a service; what listens, listens for all of its container."""
    assert {name: profile.host_of(name) for name in PORTS if profile.host_of(name) != name} == {
        "trino-tls": "trino",
        "minio-console": "minio",
        "spark-ui": "spark",
        "spark-driver": "spark",
        "spark-blocks": "spark",
        "aws-api-spark": "aws-api",
    }
    assert (profile.address("minio"), profile.listening("minio")) == ("minio:7704", "0.0.0.0:7704")
    assert profile.public_address("catalog") == "127.0.0.1:7713"
    assert profile.names("catalog") == ("127.0.0.1", "localhost", "catalog")


def test_under_local_all_of_these_are_loopback(tmp_path):
    """The box is as it was."""
    local = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})

    for name in PORTS:
        assert local.address(name) == local.public_address(name) == local.listening(name)
        assert local.address(name) == f"127.0.0.1:{local.port(name)}"
        assert local.names(name) == ("127.0.0.1", "localhost")
    assert local.trust == local.home / "tls"


def test_passwords_come_from_the_environment_alone(profile, given):
    """Each from its own variable; no file is made or asked."""
    profile.ensure_home()

    assert [profile.credentials.password(login) for login in LOGINS] == [f"secret-{login}" for login in LOGINS]
    assert list(profile.home.iterdir()) == []
    assert "secret-" not in repr(profile)
    del given["HEADWATER_PASSWORD_SPARK"]
    with pytest.raises(ConfigError, match="set HEADWATER_PASSWORD_SPARK; `headwater init-env` makes them"):
        Stack.build(Profile.load(given)).engine("spark")


def test_the_local_box_does_not_take_passwords_from_the_environment(given, tmp_path):
    """They would not be those of its data."""
    local = Profile.load({**given, "HEADWATER_PROFILE": "local"})

    assert local.given is None
    with pytest.raises(ConfigError, match="start one with `headwater up`"):
        _ = local.credentials


def test_another_process_with_the_same_passwords_loads_the_same_profile(profile, given):
    """environment() leaves out what a child inherits anyway: passwords."""
    assert "secret-" not in str(profile.environment())
    again = Profile.load({**given, **profile.environment()})

    assert (again.name, again.home, again.trust) == (profile.name, profile.home, profile.trust)
    assert again.credentials == profile.credentials


@pytest.mark.parametrize("arguments", [["up"], ["down"], ["status"], ["logs"], ["doctor"], ["destroy", "--yes"]])
def test_commands_for_the_box_say_who_is_to_be_asked(given, arguments):
    """Nothing is started, stopped or deleted."""
    done = CliRunner(env=given).invoke(headwater, arguments)

    assert isinstance(done.exception, ConfigError)
    assert "`docker compose ps`" in str(done.exception)


def test_other_commands_need_no_supervisor(profile):
    """Names lead to the components of this network and no other's."""
    require_running(profile)

    assert not was_stopped(profile, "dagster")


def test_a_probe_that_fails_is_one_sentence_and_exit_code_1(given, monkeypatch):
    """As container engines want it; a component or role that does not exist is refused by name."""
    given["HEADWATER_PROFILE"] = "local"  # nothing listens on these ports
    given["HEADWATER_PORT"] = "37700"
    done = CliRunner(env=given).invoke(headwater, ["probe", "dagster:code"])
    wrong = CliRunner(env=given).invoke(headwater, ["probe", "dagster:cook"])

    assert re.fullmatch(
        r"dagster:code is not ready: Dagster's code server at .* does not answer: .*", str(done.exception)
    )
    assert done.exit_code == 1
    assert "dagster has no role 'cook'" in str(wrong.exception)


def test_trinos_keys_stay_with_trino(profile):
    """Others get the authority's certificate alone, and it vouches for the service's name."""
    from cryptography import x509

    server = tls.ensure_certificates(profile)
    names = x509.load_pem_x509_certificate(server.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )

    assert [one.name for one in profile.trust.iterdir()] == ["ca.pem"]
    assert tls.ca_path(profile).read_bytes() == (server.parent / "ca.pem").read_bytes()
    assert stat.S_IMODE(tls.ca_path(profile).stat().st_mode) == 0o644
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost", "trino"]
    assert Stack.build(profile).engines["trino"].ca == tls.ca_path(profile)


def test_postgres_lets_other_containers_in_with_their_passwords(tmp_path):
    """A rule is added once where it listens beyond this machine, and never for a box."""
    rules = tmp_path / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")

    postgres._admit(rules, "127.0.0.1")
    assert rules.read_text().count("\n") == 1
    for _ in range(2):
        postgres._admit(rules, "0.0.0.0")  # noqa: S104 - as in a container
    assert rules.read_text().splitlines()[1:] == ["host all all all scram-sha-256"]


def test_rules_are_part_of_the_migration(profile, monkeypatch):
    """An existing cluster gets them, too."""
    cluster = Box(profile).data("postgres") / "cluster"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("17\n")
    (cluster / "pg_hba.conf").write_text("")

    postgres.PostgresComponent().migrate(Box(profile))

    assert "host all all all scram-sha-256" in (cluster / "pg_hba.conf").read_text()


def test_sparks_token_is_sent_beyond_localhost():
    """Without TLS, in the network of its containers, where the stock client would insist on it."""
    from pyspark.sql.connect.client import DefaultChannelBuilder

    shown = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            shown.append(dict(details.invocation_metadata).get("authorization"))
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.2:0")
    server.start()
    builder = spark._channel(f"sc://127.0.0.2:{port}/;token=the-token")
    try:
        with builder.toChannel() as channel:
            assert channel.unary_unary("/any/call")(b"x", timeout=10, metadata=builder.metadata()) == b"x"
    finally:
        server.stop(0)

    assert shown == ["Bearer the-token"]
    assert type(spark._channel("sc://localhost:1/;token=t")) is DefaultChannelBuilder


def test_fetching_a_component_brings_all_it_runs_on(given, monkeypatch):
    """An image asks by the component's name; a runtime's own name goes on to mean that alone."""
    asked = []
    monkeypatch.setattr("headwater.box.fetch.fetch", lambda settings, names: asked.append(names))

    for arguments in (["trino"], ["java25", "spark"], ["dagster"], []):
        CliRunner(env=given).invoke(headwater, ["fetch", *arguments], catch_exceptions=False)

    assert asked == [{"trino", "java25"}, {"java25", "spark", "spark-jars", "java21"}, set(), None]
