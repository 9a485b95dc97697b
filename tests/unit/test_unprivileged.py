"""Which user PostgreSQL runs as."""

import os
import pwd
import stat
import subprocess
import sys

import pytest
from headwater.box.unprivileged import Identity, chosen_user, decide, hand_over, namespaces_work
from headwater.errors import ConfigError
from headwater.profile import Profile

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can change its user")


@pytest.fixture
def profile(tmp_path):
    """A box in a folder that everybody may enter."""
    given = {
        "HEADWATER_PROJECT": str(tmp_path),
        "HEADWATER_HOME": str(tmp_path / "home"),
        "HEADWATER_CACHE": str(tmp_path),
    }
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | 0o111)
    return Profile.load(given)


def test_a_user_stays_themselves(profile):
    """Whoever is not root needs no tricks."""
    identity = decide(profile, 1234567, 1234567, namespaces=False)

    assert identity.way == "self"
    assert identity.wrap(["initdb"]) == ["initdb"]
    assert str(identity) == "1234567"


def test_root_prefers_a_namespace(profile):
    """Files stay root's own, so a closed home does no harm."""
    identity = decide(profile, 0, 0, namespaces=True)

    assert (identity.way, identity.uid) == ("namespace", 0)
    assert str(identity) == "root in a user namespace"


def test_root_without_namespaces_takes_an_account(profile):
    """PostgreSQL's own account where there is one, else nobody."""
    identity = decide(profile, 0, 0, namespaces=False)

    assert identity.way == "account"
    assert identity.name in {"postgres", "nobody"}


def test_an_existing_data_folder_keeps_its_account(profile):
    """What nobody owns is not taken over when namespaces work one day."""
    nobody = pwd.getpwnam("nobody")

    assert decide(profile, 0, nobody.pw_uid, namespaces=True).uid == nobody.pw_uid


def test_a_closed_folder_is_named(profile, tmp_path):
    """The sentence says which folder is closed and which settings help."""
    closed = tmp_path / "closed"
    (closed / "box").mkdir(parents=True)
    closed.chmod(0o700)
    if os.getuid() != 0:
        pytest.skip("this user's own folders are closed to nobody in any case")
    inside = Profile.load(
        {"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_HOME": str(closed / "box"), "HEADWATER_CACHE": str(tmp_path)},
    )

    with pytest.raises(ConfigError, match=rf"may not enter {closed}\. Set HEADWATER_HOME and HEADWATER_CACHE"):
        decide(inside, 0, 0, namespaces=False)


@as_root
def test_the_data_is_handed_over_and_the_way_to_it_opened(profile):
    """The account owns the data folder; on the way it may pass through, not read."""
    nobody = pwd.getpwnam("nobody")
    data = profile.home / "data" / "postgres"
    data.mkdir(parents=True, mode=0o700)
    (data / "file").touch()

    hand_over(data, Identity("account", "nobody", nobody.pw_uid, nobody.pw_gid), profile.home)

    assert (data / "file").stat().st_uid == nobody.pw_uid
    assert stat.S_IMODE(profile.home.stat().st_mode) == 0o711
    assert stat.S_IMODE((profile.home / "data").stat().st_mode) == 0o711


@as_root
def test_a_child_runs_as_the_account():
    """The wrapped command has the account's numbers and no groups of root's."""
    nobody = pwd.getpwnam("nobody")
    identity = Identity("account", "nobody", nobody.pw_uid, nobody.pw_gid)

    done = subprocess.run(identity.wrap(["/usr/bin/id", "-u"]), capture_output=True, text=True, check=True, cwd="/")

    assert done.stdout.strip() == str(nobody.pw_uid)


@as_root
def test_a_child_in_a_namespace_is_not_root_but_owns_roots_files(tmp_path):
    """It has another number inside, and what it makes is root's outside."""
    if not namespaces_work():
        pytest.skip("this machine has no user namespaces")
    code = f"import os; open({str(tmp_path / 'made')!r}, 'x'); print(os.getuid())"
    identity = Identity("namespace", "root", 0, 0)

    done = subprocess.run(identity.wrap([sys.executable, "-c", code]), capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "1000"
    assert (tmp_path / "made").stat().st_uid == 0


def test_this_machine_has_a_way(profile):
    """Whoever runs these tests can run PostgreSQL."""
    assert str(chosen_user(profile))
