"""The components of the core: what they render, without starting any of them."""

import ipaddress
import os
import re
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from headwater.box.components import (
    CORE,
    all_components,
    minio,
    postgres,
    render,
    spark,
    superset,
    tls,
    trino,
    trino_conf,
)
from headwater.box.components.metastore import MetastoreComponent
from headwater.box.runtimes import Runtimes
from headwater.credentials import LOGINS, ensure_credentials
from headwater.errors import ConfigError
from headwater.profile import PORTS, Profile
from unstarted import FetchedBox

COMPONENTS = {
    "postgres": postgres.PostgresComponent(),
    "minio": minio.MinioComponent(),
    "metastore": MetastoreComponent(),
    "spark": spark.SparkComponent(),
    "trino": trino.TrinoComponent(),
    "superset": superset.SupersetComponent(),
}


@pytest.fixture
def box(tmp_path):
    """A box in a folder whose name needs escaping, with logins, never started."""
    given = {
        "HEADWATER_PROJECT": str(tmp_path),
        "HEADWATER_HOME": str(tmp_path / "my böx"),
        "HEADWATER_CACHE": str(tmp_path / "cache"),
        "HEADWATER_PORT": "21000",
    }
    profile = Profile.load(given)
    ensure_credentials(profile.home)
    return FetchedBox(profile)


@pytest.fixture(params=COMPONENTS)
def rendered(request, box):
    """Each component with the command it becomes."""
    component = COMPONENTS[request.param]
    return component, component.command(box, "")


def files_of(box):
    """Return every configuration file of a box."""
    return [path for path in (box.profile.home / "conf").rglob("*") if path.is_file()]


def settings_in(path):
    """Return a properties file as a mapping."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def site_in(path):
    """Return a Hadoop site file as a mapping."""
    root = ET.fromstring(path.read_text())  # noqa: S314 - our own rendering
    return {one.findtext("name"): one.findtext("value") for one in root.findall("property")}


def test_the_core_has_its_six_components():
    """Every entry loads, under its own name."""
    found = all_components()

    assert list(found)[: len(CORE)] == list(CORE)
    assert all(component.name == name for name, component in found.items())


def test_what_a_component_needs_exists():
    """Needs are components, ports are in the profile's block, runtimes are in the lock."""
    for component in COMPONENTS.values():
        assert set(component.needs) <= set(COMPONENTS)
        assert component.port("") in PORTS
        for runtime in component.runtimes:
            assert Runtimes(Path("/nowhere")).version(runtime)


def test_no_secret_is_in_arguments_or_environment(rendered, box):
    """Every user of the machine can read arguments; children inherit variables."""
    _, command = rendered
    said = [*command.argv, *command.env.values()]

    for login in LOGINS:
        assert not [text for text in said if box.profile.credentials.password(login) in text], login


def test_configuration_is_for_its_owner_only(rendered, box):
    """Files have mode 0600, and their folders let nobody else in."""
    for path in files_of(box):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in (box.profile.home / "conf").glob("*"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_every_address_is_the_loopback_one(rendered, box):
    """No configuration names an address that other machines reach."""
    _, command = rendered
    texts = [*command.argv, *command.env.values(), *(path.read_text() for path in files_of(box))]

    for text in texts:
        for found in re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text):
            assert ipaddress.ip_address(found).is_loopback, text


def test_programs_are_absolute_paths(rendered):
    """The box runs what it fetched, never what happens to be on the PATH."""
    _, command = rendered

    assert Path(command.argv[0]).is_absolute()


def test_rendering_twice_gives_the_same_command(rendered, box):
    """A restart is the same process again."""
    component, command = rendered
    again = component.command(box, "")

    assert (again.argv, again.env, again.cwd) == (command.argv, command.env, command.cwd)


def test_the_heaps_are_those_of_the_profile(box):
    """A user's settings reach the processes."""
    names = ("HEADWATER_SPARK_HEAP", "HEADWATER_TRINO_HEAP", "HEADWATER_METASTORE_HEAP", "HEADWATER_MINIO_MEMORY")
    small = FetchedBox(replace(box.profile, settings={**box.profile.settings, **dict.fromkeys(names, "777m")}))

    for name in ("spark", "trino", "metastore"):
        assert "-Xmx777m" in COMPONENTS[name].command(small, "").argv
    assert COMPONENTS["minio"].command(small, "").env["GOMEMLIMIT"] == "777MiB"


def test_postgres_listens_on_its_address_and_nowhere_else(box):
    """TCP on the loopback address, and no socket file."""
    argv = COMPONENTS["postgres"].command(box, "").argv

    assert "listen_addresses=127.0.0.1" in argv
    assert "port=21006" in argv
    assert "unix_socket_directories=" in argv


def test_a_killed_servers_lock_does_not_keep_the_next_one_out(tmp_path, monkeypatch):
    """Its number may belong to another program by now; the lock then is made the new server's own."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{1}\n/data\n1234\n")
    monkeypatch.setattr(postgres.os, "getpid", lambda: 4242)

    postgres._become(tmp_path, _Nobody())

    assert lock.read_text() == "4242\n/data\n1234\n"


class _Nobody:
    def become(self):
        """Stay who one is."""


def test_the_data_folder_is_not_given_to_a_second_server(tmp_path):
    """A lock of a running PostgreSQL stays as it is."""
    program = tmp_path / "postgres"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as server:
        (tmp_path / "postmaster.pid").write_text(f"{server.pid}\n/data\n")
        try:
            _await_name(server.pid, "postgres")
            postgres._become(tmp_path, _Nobody())
        finally:
            server.kill()

    assert (tmp_path / "postmaster.pid").read_text() == f"{server.pid}\n/data\n"


def _await_name(pid, name):
    # The kernel gives a process its new name a moment after the program has begun.
    while Path(f"/proc/{pid}/comm").read_text() != f"{name}\n":
        time.sleep(0.01)


def test_minio_takes_its_login_from_files(box):
    """Neither its arguments nor its variables hold the secret key."""
    env = COMPONENTS["minio"].command(box, "").env

    assert Path(env["MINIO_ROOT_PASSWORD_FILE"]).read_text() == box.profile.credentials.password("minio")
    assert env["MINIO_UPDATE"] == "off"


def test_the_metastore_is_described_whole(box):
    """Both schemes, the short lock, and a password that survives XML."""
    COMPONENTS["metastore"].command(box, "")
    site = site_in(box.conf("metastore") / "metastore-site.xml")

    assert site["javax.jdo.option.ConnectionPassword"] == box.profile.credentials.password("metastore-db")
    assert site["fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"
    assert site["metastore.txn.timeout"] == "60s"


def test_spark_binds_every_port_of_the_block_to_its_address(box):
    """Driver, blocks, page and Connect have fixed ports, which a taken one does not shift."""
    env = COMPONENTS["spark"].command(box, "").env
    found = settings_in(box.conf("spark") / "spark-defaults.conf")

    assert found["spark.driver.bindAddress"] == found["spark.connect.grpc.binding.address"] == "127.0.0.1"
    assert env["SPARK_LOCAL_IP"] == "127.0.0.1"
    ports = {
        found[f"spark.{name}"] for name in ("driver.port", "blockManager.port", "ui.port", "connect.grpc.binding.port")
    }
    assert ports == {str(box.profile.port(name)) for name in ("spark", "spark-ui", "spark-driver", "spark-blocks")}
    assert found["spark.port.maxRetries"] == "0"


def test_spark_asks_for_its_token(box):
    """The token is in the settings, and clients get it with the one host name to which they send it."""
    COMPONENTS["spark"].command(box, "")
    token = box.profile.credentials.password("spark")

    assert settings_in(box.conf("spark") / "spark-defaults.conf")["spark.connect.authenticate.token"] == token
    assert spark.connect_url(box.profile) == f"sc://localhost:21008/;token={token}"


def test_a_start_begins_with_an_empty_scratch_folder(box):
    """What killed processes left is removed; what a running one uses is not."""
    COMPONENTS["spark"].command(box, "")
    base = box.data("spark") / "tmp"
    for name in (str(os.getpid()), str(os.getppid()), "999999999"):
        (base / name / "blockmgr-1").mkdir(parents=True)

    env = COMPONENTS["spark"].command(box, "").env

    assert {one.name for one in base.iterdir()} == {str(os.getpid()), str(os.getppid())}
    assert env["SPARK_LOCAL_DIRS"] == str(base / str(os.getpid()))
    assert not list((base / str(os.getpid())).iterdir())


@pytest.mark.parametrize(("cores", "drivers"), [(1, "1"), (2, "1"), (4, None)])
def test_trino_works_with_one_driver_on_two_cores(box, monkeypatch, cores, drivers):
    """More of them only hand rows to each other; a larger machine is left to Trino's own rule."""
    monkeypatch.setattr(trino_conf.os, "sched_getaffinity", lambda _: set(range(cores)))
    COMPONENTS["trino"].command(box, "")

    assert settings_in(box.conf("trino") / "config.properties").get("task.concurrency") == drivers


@pytest.mark.parametrize(("heap", "collector"), [("1g", "UseG1GC"), ("2g", "UseParallelGC")])
def test_trino_collects_as_its_heap_allows(box, heap, collector):
    """The quicker collector needs room: with 1 GB a table of six million rows was the end of the process."""
    sized = FetchedBox(replace(box.profile, settings={**box.profile.settings, "HEADWATER_TRINO_HEAP": heap}))

    assert f"-XX:+{collector}" in COMPONENTS["trino"].command(sized, "").argv


def test_trino_lets_nobody_in_without_a_password(box):
    """Over HTTP it would take any name without one, so HTTP is for itself only."""
    COMPONENTS["trino"].command(box, "")
    found = settings_in(box.conf("trino") / "config.properties")

    assert found["http-server.authentication.type"] == "PASSWORD"
    assert found["http-server.authentication.allow-insecure-over-http"] == "false"
    assert COMPONENTS["trino"].url(box, "") == "https://127.0.0.1:21003"


def test_trinos_passwords_are_hashed(box):
    """Each login opens it with the box's own passwords, in the form that Trino reads."""
    import bcrypt

    COMPONENTS["trino"].command(box, "")
    rows = dict(line.split(":", 1) for line in (box.conf("trino") / "passwords").read_text().splitlines())

    assert set(rows) == {"headwater", "superset", "reader"}
    for login in ("trino", "trino-superset", "trino-reader"):
        hashed = rows[box.profile.credentials.user(login)]
        assert hashed.startswith("$2y$08$")
        secret = box.profile.credentials.password(login).encode()
        assert bcrypt.checkpw(secret, hashed.replace("$2y$", "$2b$").encode())


def test_dashboards_and_assistants_cannot_write_through_trino(box):
    """Their logins read; the box's own may do all, and alone sees what others run."""
    import json

    COMPONENTS["trino"].command(box, "")
    rules = json.loads((box.conf("trino") / "rules.json").read_text())

    assert [(rule["user"], rule["allow"]) for rule in rules["catalogs"]] == [
        ("superset|reader", "read-only"),
        ("headwater", "all"),
    ]
    assert rules["queries"][-1] == {"allow": ["execute"]}


def test_both_connectors_redirect_to_each_other(box):
    """One name reaches a table, whichever its format."""
    COMPONENTS["trino"].command(box, "")
    folder = box.conf("trino") / "catalog"

    assert settings_in(folder / "iceberg.properties")["iceberg.hive-catalog-name"] == "hive"
    assert settings_in(folder / "hive.properties")["hive.iceberg-catalog-name"] == "iceberg"


def test_both_engines_tell_the_catalog_what_they_write(box):
    """They send lineage to its address with its token, which no page of theirs shows."""
    address, token = f"http://{box.profile.address('catalog')}", box.profile.credentials.password("catalog")
    COMPONENTS["trino"].command(box, "")
    COMPONENTS["spark"].command(box, "")
    trinos = settings_in(box.conf("trino") / "lineage.properties")
    sparks = settings_in(box.conf("spark") / "spark-defaults.conf")
    listeners = settings_in(box.conf("trino") / "config.properties")["event-listener.config-files"]
    queries = settings_in(box.conf("trino") / "queries.properties")

    assert [one.rpartition("/")[2] for one in listeners.split(",")] == ["lineage.properties", "queries.properties"]
    assert queries["http-event-listener.connect-ingest-uri"] == f"{address}/api/v1/queries"
    assert queries["http-event-listener.connect-http-headers"] == f"Authorization: Bearer {token}"
    assert trinos["openlineage-event-listener.transport.url"] == address
    assert trinos["openlineage-event-listener.transport.api-key"] == token
    assert sparks["spark.openlineage.transport.url"] == address
    assert sparks["spark.openlineage.transport.auth.apiKey"] == token
    shown = [name for name in sparks if not re.search(sparks["spark.redaction.regex"], name)]
    assert token not in [sparks[name] for name in shown]


def test_the_certificate_is_signed_by_the_boxs_authority(box):
    """It is good for the address and for localhost, and its key is for the owner only."""
    from cryptography import x509

    server = tls.ensure_certificates(box.profile)
    certificate = x509.load_pem_x509_certificate(server.read_bytes())
    authority = x509.load_pem_x509_certificate(tls.ca_path(box.profile).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    certificate.verify_directly_issued_by(authority)
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert stat.S_IMODE(server.stat().st_mode) == 0o600
    assert stat.S_IMODE((server.parent / "ca-key.pem").stat().st_mode) == 0o600


def test_a_good_certificate_is_kept(box):
    """Clients need not trust a new authority after a restart."""
    first = tls.ensure_certificates(box.profile).read_bytes(), tls.ca_path(box.profile).read_bytes()
    second = tls.ensure_certificates(box.profile).read_bytes(), tls.ca_path(box.profile).read_bytes()

    assert first == second


def test_a_damaged_certificate_is_made_anew(box):
    """Half a file from a killed start does not keep Trino from starting."""
    server = tls.ensure_certificates(box.profile)
    authority = tls.ca_path(box.profile).read_bytes()
    server.write_text("-----BEGIN")

    tls.ensure_certificates(box.profile)

    assert b"END CERTIFICATE" in server.read_bytes()
    assert tls.ca_path(box.profile).read_bytes() == authority


def test_supersets_configuration_is_python(box, monkeypatch):
    """It compiles, protects forms and cookies, and keeps pages from loading anything from elsewhere."""
    monkeypatch.setitem(sys.modules, "superset.utils.log", SimpleNamespace(DBEventLogger=object))
    COMPONENTS["superset"].command(box, "")
    text = (box.conf("superset") / "superset_config.py").read_text()
    found = {}
    exec(compile(text, "superset_config.py", "exec"), found)  # noqa: S102 - our own rendering

    assert found["SECRET_KEY"] == box.profile.credentials.password("superset-secret")
    assert found["WTF_CSRF_ENABLED"]
    assert not re.findall(r"https?://", str(found["TALISMAN_CONFIG"]))


def test_superset_reaches_trino_over_tls_as_its_own_login(box):
    """It never holds the login that may write."""
    database = superset._task(box)["database"]

    assert database["uri"].startswith("trino://superset:")
    assert box.profile.credentials.password("trino") not in str(database)
    assert database["extra"]["engine_params"]["connect_args"]["verify"] == str(tls.ca_path(box.profile))


def test_superset_under_aws_has_athena_and_no_login_of_it(tmp_path):
    """Its migration needs none of Trino's either."""
    given = {"HEADWATER_PROFILE": "aws", "HEADWATER_BUCKET": "lake-of-tests", "HEADWATER_PROJECT": str(tmp_path)}
    profile = Profile.load({**given, "HEADWATER_PASSWORD_SUPERSET": "p"})
    database = superset._task(FetchedBox(profile))["database"]

    assert database["name"] == "Lake lake-of-tests"
    assert database["uri"].startswith("awsathena+rest:///curated?")
    assert set(database["extra"]["engine_params"]["connect_args"]) == {"poll_interval"}


def test_superset_keeps_what_the_machine_has_for_the_world_outside(box):
    """AWS's clients want the user's proxies and authorities; an empty one would have them trust anybody."""
    env = COMPONENTS["superset"].command(box, "").env

    assert {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"} & set(env) == set()


def test_likely_causes_are_found(box):
    """Each hint's expression is one, and a taken port is recognised in every component's own words."""
    said = {
        "postgres": 'could not bind IPv4 address "127.0.0.1": Address already in use',
        "minio": "FATAL Specified port is already in use",
        "metastore": "java.net.BindException: Address already in use (Bind failed)",
        "spark": "java.net.BindException: Address already in use",
        "trino": "java.io.UncheckedIOException: Failed to bind to /127.0.0.1:21003",
        "superset": "[ERROR] Connection in use: ('127.0.0.1', 21001)",
    }
    for name, line in said.items():
        causes = [hint.cause for hint in COMPONENTS[name].hints if re.search(hint.pattern, line)]
        assert "port" in causes[0]


def test_properties_survive_any_path():
    """Backslashes and letters beyond ASCII read the same in every Java program."""
    assert render.properties({"a": "b\\c", "d": "é😀", "e": "x y=z"}) == "a=b\\\\c\nd=\\u00e9\\ud83d\\ude00\ne=x y=z\n"


def test_sites_survive_any_value():
    """Characters of XML are escaped."""
    assert "<value>a&lt;b&amp;c</value>" in render.hadoop_xml({"x": "a<b&c"})


def test_a_component_declared_twice_is_refused(monkeypatch):
    """Two packages with one component name would hide each other."""
    from headwater.box import components

    point = type("Point", (), {"name": "trino", "value": "other.module:Trino"})()
    monkeypatch.setattr(components, "entry_points", partial(_points, point))

    with pytest.raises(ConfigError, match="'trino' is declared twice, by other.module:Trino too"):
        all_components()


def _points(point, *, group):
    return [point]


def test_the_setup_script_needs_no_headwater():
    """Superset's own Python has none, and the script's folder must not hide its libraries."""
    code = "import sys; sys.modules['headwater'] = None; import runpy; runpy.run_path(sys.argv[1])"
    done = subprocess.run([sys.executable, "-P", "-c", code, superset.superset_setup.__file__], check=False)

    assert done.returncode == 0


def test_the_api_that_superset_gets_loads_without_headwater(box):
    """The configuration imports it in Superset's own Python: it has Superset's libraries and no Headwater."""
    COMPONENTS["superset"].command(box, "")
    code = (
        "import sys, types; found = {}; added = []; "
        "sys.modules['superset.utils.log'] = types.SimpleNamespace(DBEventLogger=object); "
        "adapters = types.SimpleNamespace(HTTPAdapter=object); "
        "sys.modules['requests'] = types.SimpleNamespace(adapters=adapters); "
        "sys.modules['yaml'] = types.SimpleNamespace(); "
        "exec(open(sys.argv[1]).read(), found); "
        "assert found['EVENT_LOGGER'] and found['DB_CONNECTION_MUTATOR']; "
        "held = types.SimpleNamespace(add_api=added.append); "
        "sys.modules['superset.extensions'] = types.SimpleNamespace(appbuilder=held); "
        "sys.modules['flask'] = types.SimpleNamespace(request=None); "
        "wrap = lambda *a, **k: lambda f: f; "
        "sys.modules['flask_appbuilder.api'] = types.SimpleNamespace(expose=wrap); "
        "sys.modules['flask_appbuilder.security.decorators'] = types.SimpleNamespace(protect=wrap); "
        "sys.modules['superset.views.base_api'] = types.SimpleNamespace(BaseSupersetApi=object); "
        "hooks = []; found['FLASK_APP_MUTATOR'](types.SimpleNamespace(before_request=hooks.append)); api, = added; "
        "assert len(hooks) == 1; "
        "assert api.allow_browser_login is False and api.push.__name__ == 'push', api; "
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'headwater']"
    )
    config = str(box.conf("superset") / "superset_config.py")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, config], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
