"""Superset's models, found by name: these modules exist only in Superset's own environment."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any
from uuid import UUID

__all__ = ["COLUMN", "KINDS", "METRIC", "RefusedError", "child_mark", "find", "model_of", "session"]

KINDS = ("datasets", "charts", "dashboards")
# What is told of a column and of a metric, and where Superset keeps it.
COLUMN = {
    "type": "type",
    "time": "is_dttm",
    "sql": "expression",
    "title": "verbose_name",
    "description": "description",
    "date_format": "python_date_format",
}
METRIC = {
    "sql": "expression",
    "title": "verbose_name",
    "description": "description",
    "format": "d3format",
    "currency": "currency",
}


class RefusedError(Exception):
    """A push that cannot be; its text is for the user."""


def find(kind: str, uuid: str) -> Any:
    """Return what has a uuid, None when nothing has."""
    return session().query(model_of(kind)).filter_by(uuid=UUID(uuid)).one_or_none()


def model_of(kind: str) -> Any:
    """Return the class of a kind."""
    module, name = {
        "datasets": ("superset.connectors.sqla.models", "SqlaTable"),
        "charts": ("superset.models.slice", "Slice"),
        "dashboards": ("superset.models.dashboard", "Dashboard"),
    }[kind]
    return getattr(import_module(module), name)


def session() -> Any:
    """Return the session of the request."""
    return import_module("superset.extensions").db.session


def child_mark(one: Any) -> str:
    """Return by which project a column or metric was pushed; empty when by none."""
    return str(json.loads(one.extra or "{}").get("headwater", ""))
