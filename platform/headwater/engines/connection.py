"""The lake as one database of a program that speaks SQLAlchemy, as Superset does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Connection", "athena_connection", "trino_connection"]

# The box's; a lake on AWS has one that its bucket's name gives, which is nobody else's in the world.
_TRINO = "6a4f3c1e-6f0d-5d0b-9c55-7d1f6c0b0001"
# Athena's price is not by the look: twice a second is soon enough for a person, and ten charts at once are few calls.
_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How such a program reaches the lake, to read.

    Args:
        uuid: Its number in every Superset. Each lake has another, so that two of them are two databases there.
        name: What people see.
        address: Gives the URL; a call, because only those who connect hold a password that is in it.
        arguments: What the driver is given besides; no secrets.
        open: Whether the address holds no secret, so that whoever knows the lake may tell a program of it.
    """

    uuid: str
    name: str
    address: Callable[[], str] = field(repr=False)
    arguments: Mapping[str, Any]
    open: bool


def trino_connection(address: str, login: Callable[[], tuple[str, str]], ca: Path) -> Connection:
    """Return the connection to a Trino behind TLS and a password.

    Args:
        address: ``host:port``.
        login: Gives user name and password.
        ca: File with the authority that signed its certificate.
    """
    return Connection(
        uuid=_TRINO,
        name="Lake",
        address=lambda: f"trino://{':'.join(login())}@{address}/iceberg",
        arguments={"http_scheme": "https", "verify": str(ca), "source": "superset"},
        open=False,
    )


def athena_connection(bucket: str, *, region: str, work_group: str, reuse_minutes: int) -> Connection:
    """Return the connection to Athena, by PyAthena; keys, roles and endpoints are what the program's own process has.

    Args:
        bucket: The lake's.
        region: Where; empty where the AWS clients' own configuration says.
        work_group: Says where results go, and how much a query may scan.
        reuse_minutes: How old a result may be that answers the same query again; 0 for never.
    """
    host = f"athena.{region}.amazonaws.com:443" if region else ""
    asked = urlencode({"work_group": work_group, "catalog_name": "AwsDataCatalog"})
    reuse = {"result_reuse_enable": True, "result_reuse_minutes": reuse_minutes} if reuse_minutes else {}
    return Connection(
        uuid=str(uuid5(UUID(_TRINO), bucket)),
        name=f"Lake {bucket}",
        address=lambda: f"awsathena+rest://{host}/curated?{asked}",
        arguments={"poll_interval": _SECONDS_BETWEEN_LOOKS, **reuse},
        open=True,
    )
