"""What the catalog is told about charts and dashboards, from the default project and from files of the test's own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from headwater.errors import DashboardError
from headwater.profile import Profile
from headwater.project import load_project
from headwater_catalog.model import ColumnEdge, Kind, Origin

LOANS = 'dashboards = ["headwater_dashboards.loans"]'


def _told(tmp_path, dashboards=LOANS):
    (tmp_path / "headwater.toml").write_text(
        f'[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n{dashboards}\n'
    )
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "7700"})
    (point,) = entry_points(group="headwater.facts")
    return {one.name: one for one in point.load()(load_project(profile), profile)}


def _write(tmp_path, **files):
    for path, text in files.items():
        kind, _, name = path.partition("_")
        folder = tmp_path / "dashboards" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)


def _lineage(facts, origin):
    return dict(facts.lineage)[origin]


def test_a_metric_is_made_of_the_columns_of_its_sql(tmp_path):
    """An average weighted by another column depends on both, and the chart on its table."""
    chart = _told(tmp_path)["chart:average_credit_score"]

    assert (chart.kind, chart.title) == ("chart", "Average credit score")
    assert _lineage(chart, Origin.DECLARED).sources == ("curated.loan_state",)
    parsed = _lineage(chart, Origin.PARSED)
    assert parsed.problem == ""
    assert parsed.columns == {
        ColumnEdge("curated.loan_state", "average_credit_score", "credit_score", Kind.AGGREGATED),
        ColumnEdge("curated.loan_state", "loans", "credit_score", Kind.AGGREGATED),
    }


def test_calculated_columns_and_filters_are_seen_through(tmp_path):
    """A band of a column is transformed from it; a filter decides which rows the chart has."""
    chart = _told(tmp_path)["chart:credit_score_spread"]

    assert {(edge.source_column, edge.target_column, edge.kind) for edge in _lineage(chart, Origin.PARSED).columns} == {
        ("credit_score", "score_band", Kind.TRANSFORMED),
        ("credit_score", "", Kind.FILTER),
    }


def test_every_chart_of_the_default_dashboards_is_read_without_a_problem(tmp_path):
    """Each has what it shows as columns, and no column that its table does not have."""
    told = _told(tmp_path)
    charts = [one for one in told.values() if one.kind == "chart"]
    columns = {table.name: set(table.types) for table in load_project(_profile(tmp_path)).tables}

    assert len(charts) == 20
    for chart in charts:
        parsed = _lineage(chart, Origin.PARSED)
        assert parsed.problem == "", chart.name
        assert chart.columns
        for edge in parsed.columns:
            assert edge.source_column in columns[edge.source], chart.name


def _profile(tmp_path):
    return Profile.load({"HEADWATER_PROJECT": str(tmp_path)})


def test_a_dashboard_is_made_of_its_charts_and_filters(tmp_path):
    """A column of it is a chart; what its own filters look at decides what all of it shows."""
    dashboard = _told(tmp_path)["dashboard:loan_delinquency"]
    said = _lineage(dashboard, Origin.DECLARED)

    assert dashboard.url == "http://127.0.0.1:7701/superset/dashboard/loan-delinquency/"
    assert _told(tmp_path)["chart:default_curves"].url == dashboard.url
    assert dashboard.owner == "team:risk"
    assert "chart:default_curves" in said.sources
    assert {"default_curves", "vintage_table"} <= {one.name for one in dashboard.columns}
    shown = {edge.target_column for edge in said.columns if edge.source == "chart:default_curves"}
    assert shown == {"default_curves"}
    assert {edge.kind for edge in said.columns if edge.source.startswith("curated.")} == {Kind.FILTER}
    assert {edge.target_column for edge in said.columns if edge.source.startswith("curated.")} == {""}


def test_a_column_put_together_with_an_aggregate_is_a_metric(tmp_path):
    """Superset's simple metrics have no SQL of their own."""
    _write(
        tmp_path,
        datasets_states="uuid: 0a1b2c3d-0000-4000-8000-000000000001\ntable: curated.loan_state\n",
        charts_balance=(
            "uuid: 0a1b2c3d-0000-4000-8000-000000000002\ntitle: Balance\ndataset: states\nkind: pie\nparams:\n"
            "  groupby: [state]\n"
            "  metric: {expressionType: SIMPLE, aggregate: SUM, column: {column_name: original_upb}}\n"
        ),
    )
    chart = _told(tmp_path, "")["chart:balance"]

    assert {(one.name, one.type) for one in chart.columns} == {("state", "dimension"), ("original_upb", "metric")}
    assert {(edge.source_column, edge.kind) for edge in _lineage(chart, Origin.PARSED).columns} == {
        ("state", Kind.COPIED),
        ("original_upb", Kind.AGGREGATED),
    }


def test_sql_that_cannot_be_read_is_a_problem_of_its_chart_alone(tmp_path):
    """The chart still hangs on its table."""
    _write(
        tmp_path,
        datasets_states="uuid: 0a1b2c3d-0000-4000-8000-000000000001\ntable: curated.loan_state\n",
        charts_odd=(
            "uuid: 0a1b2c3d-0000-4000-8000-000000000002\ntitle: Odd\ndataset: states\nkind: pie\nparams:\n"
            "  metric: {expressionType: SQL, sqlExpression: 'sum((', label: odd}\n"
        ),
    )
    chart = _told(tmp_path, "")["chart:odd"]

    assert _lineage(chart, Origin.DECLARED).sources == ("curated.loan_state",)
    assert _lineage(chart, Origin.PARSED).problem.startswith("the SQL cannot be read")


def test_broken_yaml_is_said_with_its_place(tmp_path):
    """The catalog then keeps what it knew."""
    _write(tmp_path, charts_bad="uuid: [")

    with pytest.raises(DashboardError, match=r"bad\.yaml, line 1"):
        _told(tmp_path, "")
