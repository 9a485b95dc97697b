"""Backups on disk, without a box: what is copied, how long it is kept, and what a damaged one says."""

from __future__ import annotations

import json
import os
import socket
import stat
from datetime import UTC, datetime, timedelta

import pytest
from headwater.box.backups import KEPT, KEPT_DAYS, backups, check_space, find_backup, kept_by, new_backup, prune, unpack
from headwater.box.components import all_components
from headwater.errors import ComponentError, ConfigError

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEEPS = ["credentials.json", "tls", "data/postgres/cluster"]


@pytest.fixture
def home(tmp_path):
    """A home with a cluster of folders, files, a link and what is no file, and the lake beside it."""
    cluster = tmp_path / "home" / "data" / "postgres" / "cluster"
    for name in ("base/1", "pg_notify"):
        (cluster / name).mkdir(parents=True, mode=0o700)
    (cluster / "base" / "1" / "1259").write_bytes(b"\0\1" * 100_000)
    (cluster / "base" / "1" / "1259").chmod(0o600)
    (cluster / "base" / "link").symlink_to("1/1259")
    (tmp_path / "home" / "data" / "minio").mkdir()
    (tmp_path / "home" / "data" / "minio" / "object").write_text("of the lake")
    (tmp_path / "home" / "credentials.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as left:
        os.chdir(cluster)
        left.bind("left.sock")
    return tmp_path / "home"


def _make(home):
    with new_backup(home, KEEPS, {"postgres": "17"}, {"roles": (3, "5")}) as made:
        pass
    return find_backup(home, made.name)


def _note(home, age):
    """Put a backup there that is so old."""
    made = NOW - age
    folder = home / "backups" / made.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True)
    content = {"format": 1, "made": made.isoformat(), "release": "0", "schemas": {}, "inventory": {}, "files": {}}
    (folder / "manifest.json").write_text(json.dumps({**content, "size": 0}))
    return folder.name


def test_a_backup_unpacks_to_what_was_copied(home, tmp_path):
    """Folders that are empty, links, rights and bytes; no socket, and nothing of the lake."""
    made = _make(home)
    unpack(made, tmp_path / "out")

    cluster = tmp_path / "out" / "data" / "postgres" / "cluster"
    assert (cluster / "base" / "1" / "1259").read_bytes() == b"\0\1" * 100_000
    assert stat.S_IMODE((cluster / "base" / "1" / "1259").stat().st_mode) == 0o600
    assert (cluster / "base" / "link").readlink().name == "1259"
    assert list((cluster / "pg_notify").iterdir()) == []
    assert not (cluster / "left.sock").exists()
    assert not (tmp_path / "out" / "data" / "minio").exists()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert (made.schemas, made.inventory, made.size) == ({"postgres": "17"}, {"roles": (3, "5")}, 200_002)


@pytest.mark.parametrize("harm", ["changed", "gone", "added"])
def test_a_damaged_backup_names_the_file(home, tmp_path, harm):
    """And nothing of it is left where it was unpacked."""
    made = _make(home)
    path = made.folder / "files" / "data/postgres/cluster/base/1/1259"
    if harm == "changed":
        path.write_bytes(b"\0\1" * 99_999 + b"\0\2")
    elif harm == "gone":
        path.unlink()
    else:
        path = path.with_name("1260")
        path.write_bytes(b"x")

    with pytest.raises(
        ComponentError, match=rf"The backup {made.name} is damaged: data/.*/{path.name} is not as it was"
    ):
        unpack(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_backup_that_does_not_stand_its_trial_is_none(home):
    """Nor is one whose maker was killed; the next one removes what that left."""
    with pytest.raises(ComponentError), new_backup(home, KEEPS, {}, {}):
        raise ComponentError("it answers otherwise")
    assert backups(home) == []
    assert list((home / "backups").iterdir()) == []

    (home / "backups" / ".20260101T000000Z" / "files").mkdir(parents=True)
    made = _make(home)

    assert [one.name for one in (home / "backups").iterdir()] == [made.name]


def test_the_newest_and_the_young_are_kept(home):
    """Three whatever their age, and all of the last two weeks."""
    days = [timedelta(days=one) for one in (1, 2, 3, KEPT_DAYS - 1, KEPT_DAYS + 1, 90)]
    names = [_note(home, age) for age in days]

    assert prune(home, now=NOW) == names[4:]
    assert [one.name for one in backups(home)] == names[:4]
    assert prune(home, now=NOW + timedelta(days=365)) == names[KEPT:4]
    assert [one.name for one in backups(home)] == names[:KEPT]


def test_a_full_disk_is_seen_before_anything_is_copied(home):
    """A cluster that claims more than any disk has, in one sentence with the figures."""
    check_space(home, KEEPS)
    os.truncate(home / "data/postgres/cluster/base/1/1259", 8 << 40)

    with pytest.raises(
        ConfigError, match=r"has [\d,]+ MiB free, but a backup, its trial and what follows take up to 25,1"
    ):
        check_space(home, KEEPS)


def test_a_backup_that_is_not_there_is_named(home):
    """With those that are, or how to make one; one that cannot be read says why, and hides no other."""
    with pytest.raises(ConfigError, match="has no backups yet; `headwater backup` makes one"):
        find_backup(home, None)
    young, old = _note(home, timedelta(days=1)), _note(home, timedelta(days=2))
    assert find_backup(home, None).name == young
    with pytest.raises(ConfigError, match=rf"There is no backup 'x' in .*; there are {young}, {old}\."):
        find_backup(home, "x")

    (home / "backups" / young / "manifest.json").write_text("{")
    assert [one.name for one in backups(home)] == [old]
    with pytest.raises(ConfigError, match=r"manifest.json is damaged .* that backup is lost"):
        find_backup(home, young)


def test_a_backup_holds_all_that_components_keep_but_the_lake():
    """What PostgreSQL and Dagster have, the logins and the certificates."""
    kept = kept_by(all_components().values())

    assert set(kept) == {"credentials.json", "tls", "data/postgres/cluster", "data/dagster"}
