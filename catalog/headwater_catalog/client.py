"""Asks the catalog over its REST interface; the commands are thin over this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.profile import Profile

__all__ = ["Client"]


class Client:
    """The catalog of a box.

    Args:
        profile: Where it is.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, profile: Profile, timeout: float = 30) -> None:
        self._profile, self._address, self._timeout = profile, profile.address("catalog"), timeout

    def tell(self, event: Mapping[str, Any]) -> None:
        """Send one OpenLineage event with the box's token.

        Raises:
            QueryError: The event is refused; the catalog's own sentence.
            ComponentError: The catalog does not answer.
        """
        self.change("POST", "lineage", json=event)

    def change(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """Change something with the box's token and return the answer.

        Args:
            method: HTTP's verb.
            path: Below ``/api/v1``.
            content: ``json`` or ``params``, as requests knows them.

        Raises:
            QueryError: It is refused; the catalog's own sentence.
            ComponentError: The catalog does not answer.
        """
        shown = f"Bearer {self._profile.credentials.password('catalog')}"
        return self._answer(method, path, headers={"Authorization": shown}, **content)

    def get(self, question: str, **parameters: object) -> dict[str, Any]:
        """Return the answer to one question of ``/api/v1``.

        Raises:
            QueryError: There is no such table, or the question is wrong; the catalog's own sentence.
            ComponentError: The catalog does not answer.
        """
        given = {name: str(value) for name, value in parameters.items() if value not in ("", None)}
        return self._answer("GET", question, params=given)

    def _answer(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        import requests  # noqa: PLC0415 - slow to import

        url = f"http://{self._address}/api/v1/{path}"
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy stands between a box and its own catalog
                response = session.request(method, url, timeout=self._timeout, **content)
                answer: dict[str, Any] = response.json()
        except (requests.RequestException, ValueError) as error:
            raise ComponentError(
                f"The catalog at http://{self._address} does not answer ({type(error).__name__}); "
                "see `headwater status`."
            ) from error
        if response.status_code >= 500:  # noqa: PLR2004
            raise ComponentError(str(answer.get("error", "The catalog failed; see `headwater logs catalog`.")))
        if not response.ok:
            raise QueryError(str(answer.get("error", f"The catalog refused the question ({response.status_code}).")))
        return answer
