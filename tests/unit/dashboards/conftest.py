"""A small project of dashboards, written into a folder of the test's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from headwater_dashboards.documents import as_yaml, load
from headwater_dashboards.tables import ColumnFacts, TableFacts

if TYPE_CHECKING:
    from pathlib import Path

TRIPS = TableFacts(
    "raw.trips",
    (
        ColumnFacts("started", "TIMESTAMP(6)", "When it began."),
        ColumnFacts("fare", "DOUBLE", "In dollars."),
        ColumnFacts("payment", "VARCHAR"),
        ColumnFacts("riders", "INTEGER"),
    ),
    "One row per trip.",
)


class Written:
    """A folder of dashboards that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, kind, name, /, **data):
        """Write one file; its uuid comes from its name."""
        file = self.folder / kind / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_yaml({"uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}")), **data}))
        return file

    def load(self):
        """Read everything back."""
        return load([self.folder])

    def tables(self, name):
        """What is known of tables here."""
        return {"raw.trips": TRIPS}.get(name)


@pytest.fixture
def written(tmp_path) -> Written:
    """One dashboard with two charts and a filter on one table."""
    made = Written(tmp_path / "dashboards")
    made.put(
        "datasets",
        "trips",
        table="raw.trips",
        columns={"busy": {"sql": "riders > 2", "title": "Busy"}, "fare": {"title": "Fare"}},
        metrics={"income": {"sql": "sum(fare)", "title": "Income", "format": "$,d"}},
    )
    made.put(
        "charts",
        "income",
        title="Income",
        dataset="trips",
        kind="echarts_timeseries_bar",
        params={"x_axis": "started", "metrics": ["income"], "groupby": ["busy"], "time_grain_sqla": "P1D"},
    )
    made.put(
        "charts",
        "payments",
        title="Payments",
        dataset="trips",
        kind="pie",
        params={
            "groupby": ["payment"],
            "metric": "count",
            "adhoc_filters": [
                {"clause": "WHERE", "expressionType": "SIMPLE", "subject": "fare", "operator": ">", "comparator": 0}
            ],
        },
    )
    made.put(
        "dashboards",
        "taxi_trips",
        title="Taxi trips",
        filters=[
            {"title": "Payment", "dataset": "trips", "column": "payment", "exclude": ["income"]},
            {"title": "When", "kind": "time"},
        ],
        layout=[
            {"row": [{"chart": "income", "width": 8, "height": 40}, {"text": "All of *them*.", "width": 4}]},
            {"header": "More"},
            {"tabs": [{"tab": "Payments", "layout": [{"row": [{"column": [{"chart": "payments"}], "width": 6}]}]}]},
            {"divider": True},
        ],
    )
    return made
