"""Superset as dashboards are pushed to it: its admin login, and the endpoint that Headwater adds to its API."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from headwater.errors import DashboardError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.profile import Profile
    from requests import Response

__all__ = ["Superset", "dashboard_url"]

# Superset asks the lake nothing during a push; the browser does, later.
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
        self._elsewhere = bool(profile.setting("HEADWATER_SUPERSET"))

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
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise DashboardError(
                f"{self._profile.superset} is no Superset that Headwater runs; start one by `headwater run superset`."
            )
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
                session.trust_env = self._elsewhere  # no proxy leads to this machine itself
                session.auth = lambda request: request  # nor does a login of netrc take the token's place
                url = f"{self._profile.superset}/api/v1{path}"
                return session.request(method, url, timeout=_TIMEOUT_SECONDS, **content)
        except requests.RequestException as error:
            raise DashboardError(self._silent) from error

    @property
    def _silent(self) -> str:
        if self._elsewhere:
            return f"{self._profile.superset} does not answer; start Superset there, or correct HEADWATER_SUPERSET."
        return (
            f"Superset at {self._profile.address('superset')} does not answer; start the box with `headwater up`, "
            "or see `headwater status`."
        )


def _said(answer: Response) -> str:
    try:
        return str(answer.json().get("message") or answer.json())
    except ValueError:
        return f"it answered {answer.status_code}; see `headwater logs superset`."
