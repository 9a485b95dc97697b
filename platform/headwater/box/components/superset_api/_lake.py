"""How Superset asks the lake: with few commits of its own, and over connections that it keeps."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["deeds_logger", "kept_connections"]

# What Superset logs of one chart besides the request itself. Each would be a commit, after which it reads the user, the
# dataset and all its columns anew.
_STEPS = ("_get_data_response", "execute_sql", "fetch_rows", "load_into_dataframe")
_STEPS_OF_ANY = (".json_dumps", ".post_processing")
# The source that the box's connection to Trino gives.
_LAKE = "superset"


def deeds_logger() -> Any:
    """Return what logs to Superset's database what people do, and not every step of it: its ``EVENT_LOGGER``."""
    base: Any = import_module("superset.utils.log").DBEventLogger

    class DeedsLogger(base):  # type: ignore[misc]
        def log_with_context(self, action: str, *args: Any, **more: Any) -> None:
            """Log a deed."""
            if action not in _STEPS and not action.endswith(_STEPS_OF_ANY):
                super().log_with_context(action, *args, **more)

    return DeedsLogger()


def kept_connections() -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Return what gives each query of the lake a session on connections that all share: ``DB_CONNECTION_MUTATOR``."""
    requests = import_module("requests")

    class Kept(requests.adapters.HTTPAdapter):  # type: ignore[misc,name-defined]
        def close(self) -> None:
            """Stay open: every chart is a connection of its own to Superset, and a handshake costs both sides."""

    connections = Kept()

    def mutate(uri: Any, params: dict[str, Any], *_: Any) -> tuple[Any, dict[str, Any]]:
        wanted = params.get("connect_args", {})
        if wanted.get("source") == _LAKE and "http_session" not in wanted:
            session = wanted["http_session"] = requests.Session()
            session.trust_env = False  # no proxy leads to this machine itself
            session.verify = wanted["verify"]
            session.mount("https://", connections)
        return uri, params

    return mutate
