"""The box as a whole: ready means usable, loopback only, no secret shown, nothing left behind."""

from __future__ import annotations

import ipaddress
import json
import stat
import time

import psutil
import pytest
from command_line import headwater
from headwater.box.processes import members
from headwater.stack import Stack

pytestmark = pytest.mark.box

COMPONENTS = {"postgres", "minio", "metastore", "spark", "trino", "superset", "dagster", "catalog"}


def _status(profile):
    return {row["name"]: row for row in json.loads(headwater(profile, "status", "-o", "json").stdout)}


def test_every_process_is_ready_and_described(box):
    """Status gives name, state, readiness, pid, port, memory, version and uptime of each."""
    rows = _status(box)

    # Another test may have started what starts only when it is named.
    assert {name.partition(":")[0] for name in rows} - {"aws-api"} == COMPONENTS
    for row in rows.values():
        assert row["state"] == "running"
        assert row["ready"] is True, row["problem"]
        assert psutil.pid_exists(row["pid"])
        assert row["rss_bytes"] > 1_000_000
        assert row["version"]
        assert row["uptime_seconds"] >= 0


def test_everything_listens_on_loopback_only(box):
    """No process of the box, children included, accepts connections from elsewhere."""
    found = [
        (process.name(), connection.laddr.ip, connection.laddr.port)
        for process in members(box.home)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or (connection.type.name == "SOCK_DGRAM" and not connection.raddr)
    ]
    strangers = [one for one in found if not _is_loopback(one[1])]

    assert len(found) >= 8
    assert strangers == []


def _is_loopback(text):
    address = ipaddress.ip_address(text)
    return address.is_loopback or bool(getattr(address, "ipv4_mapped", None) and address.ipv4_mapped.is_loopback)


def test_no_secret_stands_in_a_command_line_or_log(box):
    """Passwords are in files of mode 0600 and nowhere that others look."""
    logins = json.loads((box.home / "credentials.json").read_text())
    secrets = {password for _, password in logins.values()}
    lines = [" ".join(process.cmdline()) for process in members(box.home)]
    logs = [path.read_text(errors="replace") for path in (box.home / "logs").glob("*.log*")]

    assert len(logs) >= len(COMPONENTS)
    assert [secret for secret in secrets for text in (*lines, *logs) if secret in text] == []


def test_files_with_secrets_are_private(box):
    """Whatever holds a password is readable by its owner only."""
    logins = json.loads((box.home / "credentials.json").read_text())
    secrets = [password.encode() for _, password in logins.values()]
    holders = [
        path
        for path in (box.home / "conf").rglob("*")
        if path.is_file() and any(s in path.read_bytes() for s in secrets)
    ]

    assert holders
    assert [path for path in holders if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_second_up_is_quick_and_changes_nothing(box):
    """Running components are left alone."""
    before = {name: row["pid"] for name, row in _status(box).items()}
    began = time.monotonic()

    headwater(box, "up")

    assert {name: row["pid"] for name, row in _status(box).items()} == before
    assert time.monotonic() - began < 60


def test_doctor_names_the_program_that_holds_a_port(box, tmp_path):
    """Another box on the same ports is refused before anything starts."""
    other = type(box).load({**box.environment(), "HEADWATER_HOME": str(tmp_path / "other")})

    done = headwater(other, "up", check=False)

    assert done.returncode == 1
    assert f"the box in {box.home}" in done.stderr
    assert not (tmp_path / "other" / "data").exists()


@pytest.fixture(scope="module")
def kept(box):
    """A table with 1,500 committed rows."""
    headwater(box, "sql", "drop table if exists curated.kept")
    headwater(box, "sql", "create table curated.kept as select * from tpch.tiny.customer")
    return "select count(*) as n, sum(custkey) as keys from curated.kept"


@pytest.mark.parametrize(
    "name", ["postgres", "minio", "metastore", "spark", "trino", "superset", "dagster:webserver", "dagster:daemon"]
)
def test_a_killed_process_comes_back_by_itself(box, kept, name):
    """Kill -9 of any component: the supervisor restarts it, the box is ready again, and committed rows are there."""
    asked_before = Stack.build(box).engine("spark")
    asked_before.rows("SELECT 1")
    pid = _status(box)[name]["pid"]
    psutil.Process(pid).kill()

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rows = _status(box)
        if rows[name]["pid"] not in {pid, None} and all(row["ready"] for row in rows.values()):
            break
        time.sleep(1)
    else:
        pytest.fail(f"{name} did not come back: {[row for row in rows.values() if not row['ready']]}")
    for engine in ("trino", "spark"):
        answer = json.loads(headwater(box, "sql", "-o", "json", "--engine", engine, kept).stdout)
        assert answer == [{"n": 1500, "keys": 1500 * 1501 // 2}]
    assert asked_before.rows(kept) == answer


def test_the_idle_box_fits_its_memory(box):
    """At most 6 GiB resident in all."""
    total = sum(row["rss_bytes"] for row in _status(box).values())

    assert total < 6 * 1024**3


def test_two_boxes_run_side_by_side_and_down_leaves_no_process(box, tmp_path):
    """Another home and another port block make another box; stopping it leaves nothing of it and all of the first."""
    other = type(box).load(
        {**box.environment(), "HEADWATER_HOME": str(tmp_path / "other"), "HEADWATER_PORT": str(box.first_port + 100)}
    )
    try:
        headwater(other, "up", "minio", "postgres")
        assert {row["name"] for row in _status(other).values() if row["ready"]} == {"minio", "postgres"}
    finally:
        said = headwater(other, "down").stdout

    # Nothing is told of what did not run.
    assert [line.split("]")[1].split() for line in said.splitlines()[:-1]] == [["minio,", "postgres", "stopped"]]
    assert members(other.home) == []
    assert all(row["ready"] for row in _status(box).values())
