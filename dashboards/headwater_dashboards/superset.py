"""Superset as dashboards are pushed to it: the box's admin login, and the endpoint that Headwater adds to its API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from headwater.errors import DashboardError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.profile import Profile
    from requests import Response

__all__ = ["Superset", "dashboard_url"]

# Superset asks Trino nothing during a push; the browser does, later.
_TIMEOUT_SECONDS = 120


def dashboard_url(profile: Profile, slug: str) -> str:
    """Return the address of a dashboard's page."""
    return f"{profile.url('superset')}/superset/dashboard/{slug}/"


class Superset:
    """The Superset of a profile; nothing is asked before the first call.

    Args:
        profile: Where it is, and its login.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._api = f"http://{profile.address('superset')}/api/v1"

    def push(self, task: Mapping[str, Any]) -> list[dict[str, str]]:
        """Make Superset hold what a project declares, in one transaction; return what that changed.

        Raises:
            DashboardError: It does not answer, or refused; Superset is as it was.
        """
        changes: list[dict[str, str]] = self._ask("POST", "/headwater/push", json=task)["changes"]
        return changes

    def dashboard(self, name: str) -> dict[str, Any]:
        """Return a dashboard with its charts and datasets, by slug, title, number or uuid.

        Raises:
            DashboardError: It does not answer, or there is no such dashboard.
        """
        return self._ask("GET", "/headwater/dashboard", params={"name": name})

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        answer = self._send(method, path, headers={"Authorization": f"Bearer {self._token}"}, **content)
        if not answer.ok:
            raise DashboardError(f"Superset refused: {_said(answer)}")
        result: dict[str, Any] = answer.json()["result"]
        return result

    @cached_property
    def _token(self) -> str:
        logins = self._profile.credentials
        body = {"username": logins.user("superset"), "password": logins.password("superset"), "provider": "db"}
        answer = self._send("POST", "/security/login", json=body)
        if not answer.ok:
            raise DashboardError(f"Superset refused the box's login: {_said(answer)} Run `headwater migrate superset`.")
        return str(answer.json()["access_token"])

    def _send(self, method: str, path: str, **content: Any) -> Response:
        import requests  # noqa: PLC0415 - slow to import

        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy leads to this machine itself
                return session.request(method, self._api + path, timeout=_TIMEOUT_SECONDS, **content)
        except requests.RequestException as error:
            raise DashboardError(
                f"Superset at {self._profile.address('superset')} does not answer; start the box with `headwater up`, "
                "or see `headwater status`."
            ) from error


def _said(answer: Response) -> str:
    try:
        return str(answer.json().get("message") or answer.json())
    except ValueError:
        return f"it answered {answer.status_code}; see `headwater logs superset`."
