"""One more endpoint of Superset's API, run by Superset's own Python: dashboards as code, in one transaction.

Superset's own import of assets is one transaction, but it deletes nothing, does not say what it changed, and takes over
a user's dataset that has the same table. ``POST /api/v1/headwater/push`` makes Superset hold exactly what a project
declares, or changes nothing; ``GET /api/v1/headwater/dashboard`` gives a dashboard back in the same form. What was
pushed is marked with the project's name in ``external_url``; nothing else is ever removed.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _push, _states
from ._database import write_database
from ._lake import deeds_logger, kept_connections
from ._models import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["deeds_logger", "install", "kept_connections", "write_database"]


# Where Superset's pages tell what was looked at, the login page among them.
_LOG = "/superset/log/"


def install(app: Any) -> None:
    """Add the endpoint; Superset calls this once when it has set itself up."""
    app.before_request(_log_of_nobody)
    import_module("superset.extensions").appbuilder.add_api(_api())


def _log_of_nobody() -> tuple[str, int] | None:
    """Answer the login page's own log at once, without looking for a user: either would send a session back.

    Whoever logs in meanwhile would lose theirs to it and stand before the login page again.
    """
    flask = import_module("flask")
    return ("", 204) if flask.request.path == _LOG and "_user_id" not in flask.session else None


def _api() -> type:
    request = import_module("flask").request
    fab = import_module("flask_appbuilder.api")
    protect = import_module("flask_appbuilder.security.decorators").protect

    def push(self: Any) -> Any:
        return _answer(self, lambda: {"changes": _push.push(request.get_json())})

    def dashboard(self: Any) -> Any:
        return _answer(self, lambda: _states.dashboard(request.args.get("name", "")))

    members = {
        "resource_name": "headwater",
        # Who may import and export everything may use it; no permission is added.
        "class_permission_name": "ImportExportRestApi",
        "method_permission_name": {"push": "import_", "dashboard": "export"},
        # Only a token opens it, which no browser sends by itself.
        "allow_browser_login": False,
        "csrf_exempt": True,
        "push": fab.expose("/push", methods=("POST",))(protect()(push)),
        "dashboard": fab.expose("/dashboard", methods=("GET",))(protect()(dashboard)),
    }
    return type("HeadwaterRestApi", (import_module("superset.views.base_api").BaseSupersetApi,), members)


def _answer(api: Any, work: Callable[[], Mapping[str, Any]]) -> Any:
    invalid = import_module("superset.commands.exceptions").CommandException
    try:
        return api.response(200, result=work())
    except RefusedError as error:
        return api.response(422, message=str(error))
    except invalid as error:
        said: Mapping[str, Any] = getattr(error, "normalized_messages", dict)()
        return api.response(422, message=f"{error} {json.dumps(said, default=str) if said else ''}".strip())
