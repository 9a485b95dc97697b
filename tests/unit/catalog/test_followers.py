"""Which follower there is, and what it costs those who have another."""

from __future__ import annotations

import subprocess
import sys

from headwater.profile import Profile
from headwater.stack import Stack
from headwater_catalog.service.followers import follower_of
from headwater_catalog.service.glue import GlueFollower
from headwater_catalog.service.hive import HiveFollower
from headwater_catalog.store import Store

STORE = Store("postgresql://nobody@127.0.0.1:1/none", "lake")
GLUE = {"HEADWATER_PROFILE": "aws", "HEADWATER_BUCKET": "lake", "HEADWATER_GLUE_LOOK": "7"}
WITHOUT_AWS = """
import sys
import headwater_catalog.service.__main__
from headwater.profile import Profile
from headwater.stack import Stack
from headwater_catalog.service.followers import follower_of
from headwater_catalog.store import Store
follower_of(Stack.build(Profile.load({}, HEADWATER_PROFILE=sys.argv[1], HEADWATER_BUCKET="lake")), Store("", "lake"))
print([one for one in ("boto3", "botocore", "pyiceberg", "pyarrow") if one in sys.modules])
"""


def test_each_metastore_has_its_own():
    """Chosen by what the profile's stack was built of; how often Glue is looked at is a setting."""
    glue = follower_of(Stack.build(Profile.load(GLUE)), STORE)

    assert isinstance(glue, GlueFollower)
    assert glue.seconds == 7


def test_the_box_follows_the_log(tmp_path):
    """With the logins that it made at its first start."""
    profile = Profile.load({"HEADWATER_HOME": str(tmp_path)})
    profile.ensure_home()

    assert isinstance(follower_of(Stack.build(profile), STORE), HiveFollower)


def test_the_service_loads_no_client_of_aws():
    """Nor anything else that is large: they come with the first look."""
    command = [sys.executable, "-c", WITHOUT_AWS, "aws"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.strip() == "[]", done.stderr
