"""What the catalog is told of charts, saved queries and dashboards that people made in Superset itself."""

from __future__ import annotations

import json

import pytest
from headwater.profile import Profile
from headwater.project import load_project
from headwater_catalog.model import Alias, ColumnEdge, Kind, Origin
from headwater_dashboards.documents import Documents, folders, load
from headwater_dashboards.drawn import Rows, documents_of, drawn
from headwater_dashboards.lineage import aliases_of, facts_of

CHART = "0a1b2c3d-0000-4000-8000-000000000002"
DATASETS = [
    (3, "curated", "loan_state", None, {"state": "", "loans": "", "share": "loans / 100.0"}, {"all": "sum(loans)"}),
    (4, "curated", "big states", "SELECT state, loans FROM loan_state WHERE loans > 5", {"state": "", "loans": ""}, {}),
]


@pytest.fixture
def told(tmp_path):
    """Tells what some rows of Superset's database are in the catalog."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\ndefinitions = ["headwater_assets.loans"]\n')
    for kind, text in {
        "datasets": "uuid: 0a1b2c3d-0000-4000-8000-000000000001\ntable: curated.loan_state\n",
        "charts": f"uuid: {CHART}\ntitle: Pushed\ndataset: states\nkind: pie\nparams: {{groupby: [state]}}\n",
    }.items():
        (tmp_path / "dashboards" / kind).mkdir(parents=True)
        (tmp_path / "dashboards" / kind / "states.yaml").write_text(text)

    def tell(*charts, dashboards=(), held=(), datasets=DATASETS, place="local"):
        profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PROFILE": place})
        written = load(folders(profile))
        rows = Rows(datasets=datasets, charts=charts, dashboards=dashboards, held=held)
        found = facts_of(written, documents_of(rows, written), load_project(profile), profile)
        return {one.name: one for one in found}

    return tell


def chart(number, dataset, **params):
    """A row of a chart."""
    return (number, f"Chart {number}", "table", json.dumps(params), dataset, None)


def parsed(facts):
    """What SQL says that something is made of."""
    return dict(facts.lineage)[Origin.PARSED]


@pytest.mark.parametrize("place", ["local", "compose"])
def test_links_lead_there_from_a_browser(told, place):
    """Not by the name that containers have for Superset."""
    found = told(chart(7, 4, groupby=["state"]), place=place)

    assert found["chart:superset-7"].url == "http://127.0.0.1:7701/explore/?slice_id=7"
    assert found["superset:4"].url.startswith("http://127.0.0.1:7701/explore/?")


def test_a_saved_query_stands_between_its_tables_and_its_charts(told):
    """Column by column, with what decides about rows."""
    found = told(
        chart(7, 4, groupby=["state"], metrics=[{"expressionType": "SQL", "sqlExpression": "sum(loans)", "label": "n"}])
    )
    query, drawn_on_it = found["superset:4"], found["chart:superset-7"]

    assert (query.kind, query.title, [one.name for one in query.columns]) == (
        "dataset",
        "big states",
        ["state", "loans"],
    )
    assert parsed(query).sources == ("curated.loan_state",)
    assert parsed(query).columns == {
        ColumnEdge("curated.loan_state", "state", "state", Kind.COPIED),
        ColumnEdge("curated.loan_state", "loans", "loans", Kind.COPIED),
        ColumnEdge("curated.loan_state", "loans", "", Kind.FILTER),
    }
    assert parsed(drawn_on_it).sources == ("superset:4",)
    assert parsed(drawn_on_it).columns == {
        ColumnEdge("superset:4", "state", "state", Kind.COPIED),
        ColumnEdge("superset:4", "loans", "n", Kind.AGGREGATED),
    }
    assert "slice_id=7" in drawn_on_it.url
    assert not drawn_on_it.place


def test_a_chart_on_a_table_sees_through_its_metrics_and_columns(told):
    """As they are in Superset now, not as a file says."""
    found = told(chart(7, 3, groupby=["share"], metrics=["all"]))

    assert parsed(found["chart:superset-7"]).columns == {
        ColumnEdge("curated.loan_state", "loans", "share", Kind.TRANSFORMED),
        ColumnEdge("curated.loan_state", "loans", "all", Kind.AGGREGATED),
    }
    assert "superset:3" not in found


def test_a_dashboard_holds_charts_of_both_kinds_and_filters(told):
    """Those that a project pushed are told by its files; another project's are passed over."""
    filters = {"native_filter_configuration": [{"targets": [{"datasetId": 3, "column": {"name": "state"}}]}]}
    board = (9, "Mine", None, json.dumps(filters), None)
    held = [
        ("11111111-0000-4000-8000-000000000000", 9, 7),
        (CHART, 9, 1),
        ("22222222-0000-4000-8000-000000000000", 9, 2),
    ]
    found = told(chart(7, 3, groupby=["state"]), dashboards=[board], held=held)["dashboard:superset-9"]
    said = dict(found.lineage)[Origin.DECLARED]

    assert found.title == "Mine"
    assert found.url.endswith("/superset/dashboard/9/")
    assert set(said.sources) == {"chart:superset-7", "chart:states", "curated.loan_state"}
    assert ColumnEdge("curated.loan_state", "state", "", Kind.FILTER) in said.columns


@pytest.mark.parametrize("sql", ["SELECT {{ from_dttm }} FROM x WHERE (", "SELECT 1; SELECT 2", "DROP TABLE x"])
def test_a_query_that_cannot_be_read_says_so(told, sql):
    """Its charts still hang on it."""
    found = told(chart(7, 5, groupby=["a"]), datasets=[(5, None, "odd", sql, {"a": ""}, {})])

    assert parsed(found["superset:5"]).problem
    assert parsed(found["chart:superset-7"]).sources == ("superset:5",)


def test_form_data_that_is_none_and_charts_of_lost_datasets(told):
    """Neither stops the rest."""
    found = told((7, None, "table", "{", 3, None), chart(8, 99, groupby=["a"]))

    assert found["chart:superset-7"].title == "Chart 7"
    assert "chart:superset-8" not in found


def test_without_a_superset_nothing_is_drawn(tmp_path):
    """A box without it has a catalog all the same."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\n')

    assert (
        drawn(Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "61000"}), Documents(())).every == ()
    )


def test_a_dataset_of_a_table_is_another_name_of_it():
    """So that the table's page leads to it; a saved query is a thing of its own."""
    made = documents_of(Rows(datasets=DATASETS, charts=(), dashboards=(), held=()), Documents(()))

    assert aliases_of(made) == (Alias("curated.loan_state", "superset:3"),)
