"""Where each profile has its components: all that profiles differ in. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLACES", "Place"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one profile has its components.

    Args:
        listen: Address that each component listens on.
        host: Where other components reach a service; ``{service}`` stands for its name, ``{release}`` for the chart's.
        supervised: One supervisor on this machine keeps the components; else a container engine or a cluster does.
        given_credentials: The environment holds the logins; else a file of the box, made at its first start. Where both
            can be, a box keeps its own unless there are some in the environment: then somebody else starts components.
        trust: Folder in the home with the certificate that clients verify Trino with.
        home: The box's, in the project.
        keeper: Who starts, stops and shows components, and how, where no supervisor of Headwater's does.
        adapters: What the lake, the metastore and the engines are; ``stack.py`` knows them.
        follows_aws: Region, endpoint and keys of the object store are what the AWS clients' own configuration says.
        wants: Settings that have no default here, each with what to do.
        pages: Where people look at what engines do, by name; ``{trino-tls}`` stands for an address.
    """

    listen: str
    host: str
    supervised: bool
    given_credentials: bool
    trust: str
    home: str = ".headwater"
    keeper: str = ""
    adapters: str = "box"
    follows_aws: bool = False
    wants: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=lambda: {"trino": "{trino-tls}/ui/"})


def _in_account(place: Place) -> Place:
    """Return a place whose lake, metastore and engines are services of an AWS account."""
    return replace(
        place,
        adapters="aws",
        follows_aws=True,
        wants={"HEADWATER_BUCKET": "give the bucket that `headwater aws deploy` made for the lake"},
        pages={"athena": "https://console.aws.amazon.com/athena/home#/query-editor/history"},
    )


_CONTAINERS = "components are containers: ask what runs them, for example {}"
# A service leads to whichever of its pods are ready, so a pod's own probe does not go through it.
_KUBERNETES = Place(
    listen="0.0.0.0",  # noqa: S104 - of its pod, whose network policy says who may call
    host="{release}-{service}",
    supervised=False,
    given_credentials=True,
    trust="trust",
    keeper=_CONTAINERS.format("`kubectl get pods`, `kubectl logs`, or `helm upgrade`"),
)
PLACES = {
    "local": Place(listen="127.0.0.1", host="127.0.0.1", supervised=True, given_credentials=False, trust="tls"),
    # Every service has a network of its own, whose other members know it by its name.
    "compose": Place(
        listen="0.0.0.0",  # noqa: S104 - of its container, which publishes what is meant for people
        host="{service}",
        supervised=False,
        given_credentials=True,
        trust="trust",
        keeper=_CONTAINERS.format("`docker compose ps`, `logs`, `up` or `down`"),
    ),
    "kubernetes": _KUBERNETES,
    "aws": _in_account(
        Place(
            listen="127.0.0.1",
            host="127.0.0.1",
            supervised=True,
            given_credentials=True,
            trust="trust",
            # A box's catalog knows one lake, so a project has a box for each.
            home=".headwater-aws",
            keeper="components are started by whoever gave the passwords (HEADWATER_PASSWORD_...) that are in the "
            "environment; without those a box of this machine keeps them",
        )
    ),
    "eks": _in_account(_KUBERNETES),
}
