"""The accounts of a release's pods: by what the cluster's API knows each, and what its roles let it do there."""

from __future__ import annotations

import secrets
import ssl
from typing import TYPE_CHECKING, Any

from headwater.box.components import tls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Accounts"]

_NAMES = ("kubernetes.default.svc", "kubernetes.default", "kubernetes")


class Accounts:
    """Accounts.

    Args:
        place: Folder in which each gets one, with what its pods are given.
        objects: With the ServiceAccounts, Roles and RoleBindings.
        address: Of the API.
        namespace: Of the objects.
    """

    def __init__(self, place: Path, objects: Sequence[dict[str, Any]], address: str, namespace: str) -> None:
        self._objects = objects
        self._keys = place.with_name(f"{place.name}-authority")
        self._keys.mkdir(parents=True)
        tls._make_authority(self._keys, "cluster")
        tls._make_server(self._keys, (*_NAMES, address))
        self._tokens = {secrets.token_hex(16): name for name in self._named("ServiceAccount")}
        for token, name in self._tokens.items():
            folder = place / name
            folder.mkdir(parents=True)
            (folder / "token").write_text(token, encoding="ascii")
            (folder / "namespace").write_text(namespace, encoding="ascii")
            (folder / "ca.crt").write_bytes((self._keys / "ca.pem").read_bytes())

    def context(self) -> ssl.SSLContext:
        """Return what the API answers TLS with."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self._keys / "server.pem")
        return made

    def may(self, token: str, verb: str, what: str) -> bool:
        """Return whether a token's account may do something with ``plural`` or ``group/plural``."""
        group, _, plural = what.rpartition("/")
        return any(
            group in rule["apiGroups"] and plural in rule["resources"] and verb in rule["verbs"]
            for role in self._roles(self._tokens.get(token, ""))
            for rule in role["rules"]
        )

    def _roles(self, account: str) -> Iterator[dict[str, Any]]:
        roles = self._named("Role")
        for binding in self._named("RoleBinding").values():
            if account in {one["name"] for one in binding["subjects"] if one["kind"] == "ServiceAccount"}:
                yield roles[binding["roleRef"]["name"]]

    def _named(self, kind: str) -> dict[str, dict[str, Any]]:
        return {one["metadata"]["name"]: one for one in self._objects if one["kind"] == kind}
