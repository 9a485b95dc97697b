"""MinIO: the lake's object store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from headwater.box.component import Command, Component, Hint
from headwater.box.components.s3 import reach_store

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole

__all__ = ["MinioComponent"]


class MinioComponent(Component):
    """MinIO on one folder."""

    name = "minio"
    of_lake = True
    runtimes = ("minio",)
    logins: ClassVar[ByRole] = {"": ("minio",)}
    listens: ClassVar[ByRole] = {"": ("minio", "minio-console")}
    hints = (
        Hint(
            r"address already in use|Specified port is already in use",
            "another program listens on MinIO's port; `headwater doctor` names it.",
        ),
        Hint(
            r"no space left|Storage reached its minimum free drive threshold",
            "the disk is full; free some space below HEADWATER_HOME.",
        ),
        Hint(
            r"file access denied|permission denied",
            "the data folder belongs to another user; run the box as the user who made it.",
        ),
        Hint(
            r"Unable to initialize config|decrypt|credential",
            "credentials.json is not the one this data was made with; restore both together.",
        ),
    )

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Render the login files and return the server's process."""
        profile = box.profile
        user = box.write_conf("minio", "root-user", profile.credentials.user("minio"))
        password = box.write_conf("minio", "root-password", profile.credentials.password("minio"))
        memory = re.sub(r"[mg]$", lambda unit: f"{unit[0].upper()}iB", profile.setting("HEADWATER_MINIO_MEMORY"))
        argv = [
            str(box.runtimes.path("minio") / "minio"),
            "server",
            "--address",
            profile.listening("minio"),
            "--console-address",
            profile.listening("minio-console"),
            "--certs-dir",
            str(box.conf("minio") / "certs"),
            str(box.data("minio")),
        ]
        env = {
            "MINIO_ROOT_USER_FILE": str(user),
            "MINIO_ROOT_PASSWORD_FILE": str(password),
            "MINIO_SITE_REGION": profile.region,
            "MINIO_UPDATE": "off",
            "MINIO_CALLHOME_ENABLE": "off",
            "MINIO_PROMETHEUS_AUTH_TYPE": "jwt",
            "GOMEMLIMIT": memory,
            "GOGC": "50",
            "HOME": str(box.conf("minio")),
        }
        return Command(argv, env, cwd=box.data("minio"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """List the buckets with the box's own login."""
        reach_store(box.profile)

    def version(self, box: Box) -> str:
        """Return the version in the lock file; a build by `go install` does not know its own."""
        return box.runtimes.version("minio")
