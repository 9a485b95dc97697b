"""Asks the catalog over its REST interface; the commands are thin over this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["Client"]


class Client:
    """The catalog of a box.

    Args:
        profile: Where it is.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, profile: Profile, timeout: float = 30) -> None:
        self._address, self._timeout = profile.address("catalog"), timeout

    def get(self, question: str, **parameters: object) -> dict[str, Any]:
        """Return the answer to one question of ``/api/v1``.

        Raises:
            QueryError: There is no such table, or the question is wrong; the catalog's own sentence.
            ComponentError: The catalog does not answer.
        """
        import requests  # noqa: PLC0415 - slow to import

        url = f"http://{self._address}/api/v1/{question}"
        given = {name: str(value) for name, value in parameters.items() if value not in ("", None)}
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy stands between a box and its own catalog
                response = session.get(url, params=given, timeout=self._timeout)
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
