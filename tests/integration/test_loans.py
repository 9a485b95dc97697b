"""The product's main job on the shared box: files in, tables that both engines answer from, shown in Dagster."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests
from command_line import headwater

pytestmark = pytest.mark.box

TABLES = (
    "raw.loan_origination",
    "raw.loan_performance",
    "partitioned.loan_origination",
    "partitioned.loan_performance",
    "curated.loan_vintage",
    "curated.loan_state",
    "curated.loan_seller_risk",
)


def _rows(profile, sql, engine="trino"):
    return json.loads(headwater(profile, "sql", "-o", "json", "--engine", engine, sql).stdout)


def _count(profile, table, engine="trino"):
    return _rows(profile, f"select count(*) as n from {table}", engine)[0]["n"]


@pytest.fixture(scope="module")
def loans(box):
    """The box with 20,000 loans of two years in all tables."""
    folder = box.project / "data" / "loans"
    said = headwater(box, "demo-data", "loans", "--rows", "20000", "--years", "2019-2020", "--out", str(folder)).stdout
    headwater(box, "materialize", "--all", "--stale", timeout=900)
    return box, said, folder


@pytest.mark.parametrize("kind", ["origination", "performance"])
def test_good_and_rejected_rows_are_the_lines_of_the_files(loans, kind):
    """No line is lost, and the malformed ones are those that the generator put in."""
    box, said, folder = loans
    pattern = "historical_data_2*" if kind == "origination" else "historical_data_time_*"
    lines = sum(path.read_bytes().count(b"\n") for path in folder.glob(pattern))
    malformed = sum(
        int(n) for n in re.findall(r"(\d+) \w+", said.split(f"{kind}: ")[1].split("malformed:")[1].split("\n")[0])
    )

    good = _count(box, f"partitioned.loan_{kind}")
    rejected = _count(box, f"partitioned.loan_{kind}__rejected")

    assert good + rejected == lines
    assert rejected == malformed > 0


@pytest.mark.parametrize("table", TABLES)
def test_both_engines_count_the_same_rows_under_the_same_name(loans, table):
    """zone.name works unchanged in Spark and Trino."""
    box, _, _ = loans

    assert _count(box, table, "trino") == _count(box, table, "spark") > 0


def test_a_rejected_line_says_where_it_stands(loans):
    """File, line number and text lead back to the very line."""
    box, _, folder = loans
    for kind in ("origination", "performance"):
        for row in _rows(box, f"select * from partitioned.loan_{kind}__rejected"):
            file = folder / row["source_file"].rpartition("/")[2]
            lines = file.read_text(encoding="utf-8").split("\n")

            assert lines[row["source_line"] - 1] == row["source_text"]
            assert row["reject_reason"]


def test_vintage_curves_agree_with_a_count_of_their_own(loans):
    """The curated table equals what a reader computes from the partitioned ones."""
    box, _, _ = loans
    columns = {row["Column"] for row in _rows(box, "describe curated.loan_vintage")}
    year = next(name for name in columns if name in {"vintage", "year", "origination_year"})
    expected = _rows(
        box,
        "select o.year, p.loan_age, count(distinct p.loan_sequence_number) as loans "
        "from partitioned.loan_performance p join partitioned.loan_origination o "
        "on o.loan_sequence_number = p.loan_sequence_number group by 1, 2 order by 1, 2",
    )
    found = _rows(box, f"select {year} as year, loan_age, loans from curated.loan_vintage order by 1, 2")

    assert found == expected


def test_a_second_run_writes_nothing(loans):
    """Everything is up to date, so nothing is written again."""
    box, _, _ = loans
    before = _rows(box, 'select count(*) as n from curated."loan_state$snapshots"')

    done = headwater(box, "materialize", "--all", "--stale")

    assert "nothing was written" in done.stdout
    assert _rows(box, 'select count(*) as n from curated."loan_state$snapshots"') == before


def test_stale_finds_what_was_dropped_and_changed_by_hand(loans):
    """A dropped table and a deleted row are told, one line each, and come back; a compaction is no change."""
    box, _, _ = loans
    before = {table: _count(box, table) for table in TABLES}
    headwater(box, "sql", "alter table curated.loan_vintage execute optimize")
    headwater(box, "sql", "drop table partitioned.loan_origination")
    headwater(box, "sql", "delete from curated.loan_state where state = (select min(state) from curated.loan_state)")

    done = headwater(box, "materialize", "--all", "--stale", timeout=900)

    assert "partitioned.loan_origination is gone from the lake.\n" in done.stdout
    assert "curated.loan_state was changed by hand after run " in done.stdout
    assert done.stdout.count("by hand") == 1
    assert {table: _count(box, table) for table in TABLES} == before
    assert "nothing was written" in headwater(box, "materialize", "--all", "--stale").stdout


def test_dagster_shows_every_table_materialised_with_its_columns(loans):
    """Key, description, owners, columns and row count are in the asset's page."""
    box, _, _ = loans
    query = """{ assetNodes { assetKey { path } description owners { __typename } kinds groupName
      metadataEntries { __typename ... on TableSchemaMetadataEntry { schema { columns { name description } } } }
      assetMaterializations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } } } }"""
    answer = requests.post(f"http://{box.address('dagster')}/graphql", json={"query": query}, timeout=30).json()
    nodes = {".".join(node["assetKey"]["path"]): node for node in answer["data"]["assetNodes"]}

    assert set(TABLES) <= set(nodes)
    for name in TABLES:
        node = nodes[name]
        schema = next(e["schema"] for e in node["metadataEntries"] if e["__typename"] == "TableSchemaMetadataEntry")
        recorded = {entry["label"] for entry in node["assetMaterializations"][0]["metadataEntries"]}
        assert node["description"]
        assert node["owners"]
        assert all(column["description"] for column in schema["columns"])
        assert "dagster/row_count" in recorded


def test_the_catalog_knows_who_wrote_what(loans):
    """Every published snapshot has its Dagster run, rows and partition, whichever engine made it."""
    box, _, _ = loans
    for name in ("curated.loan_state", "partitioned.loan_origination"):
        zone, _, table = name.partition(".")
        refs = _rows(box, f"""select snapshot_id from {zone}."{table}$refs" where name = 'main'""")
        told = json.loads(headwater(box, "table", name, "-o", "json").stdout)
        written = next(one for one in told["runs"] if one["direction"] == "out" and one["job"] == name)

        assert (written["state"], written["snapshot"]) == ("COMPLETE", str(refs[0]["snapshot_id"]))
        assert written["rows"] > 0
        assert "2019" in written["partition"]
        then = json.loads(headwater(box, "lineage", name, "--as-of", written["snapshot"], "-o", "json").stdout)
        (node,) = (one for one in then["nodes"] if one["name"] == name)
        assert node["snapshot"] == written["snapshot"]


def test_a_year_of_a_sql_table_is_explained_by_that_years_files(loans):
    """Its own rows, and of each upstream the same year alone."""
    box, _, _ = loans
    told = json.loads(headwater(box, "explain", "curated.loan_state", "--partition", "2019", "-o", "json").stdout)
    (own,) = (one for one in told["writes"] if one["table"] == "curated.loan_state")

    assert own["rows"] == _rows(box, "select count(*) as n from curated.loan_state where year = 2019")[0]["n"]
    assert {tuple(one["partitions"]) for one in told["writes"]} == {("2019",)}
    assert {one["partition"] for one in told["files"]} == {"2019"}


def test_the_vintage_goes_from_the_raw_files_to_a_charts_metric(loans):
    """Column by column through two Spark functions, as their runs were seen, and on the column's page."""
    box, _, _ = loans
    asked = ("lineage", "curated.loan_vintage.cumulative_default_rate", "--columns", "--depth", "20", "-o", "json")
    columns = json.loads(headwater(box, *asked).stdout)["columns"]
    sources = {(one["source"], one["source_column"]) for one in columns}
    targets = {(one["target"], one["target_column"]) for one in columns}

    assert ("partitioned.loan_performance", "loan_age") in sources
    vintage = [one for one in columns if one["target"] == "curated.loan_vintage"]
    deciding = {(one["source"], one["source_column"]) for one in vintage if one["target_column"] == ""}
    months = {("partitioned.loan_performance", one) for one in ("current_loan_delinquency_status", "zero_balance_code")}
    assert months | {("partitioned.loan_origination", "year")} <= deciding
    assert {one["kind"] for one in vintage if one["target_column"]} == {"window"}
    # A function gets a raw table's lines, and Spark calls a line `value`.
    assert ("raw.loan_performance", "value") in sources
    assert ("chart:default_curves", "default_rate") in targets
    tables = json.loads(headwater(box, "lineage", "curated.loan_vintage", "--depth", "20", "-o", "json").stdout)[
        "nodes"
    ]
    assert "files:data/loans" in {one["name"] for one in tables}
    # A share is made of the status itself; of the default rate, a count, the status decides rows and no value.
    share = ("lineage", "curated.loan_vintage.share_90_days", "--columns", "--depth", "20", "-o", "json")
    behind = json.loads(headwater(box, *share).stdout)["columns"]
    sources = {(one["source"], one["source_column"]) for one in behind}
    assert ("partitioned.loan_performance", "current_loan_delinquency_status") in sources
    assert ("raw.loan_performance", "value") in sources
    assert "chart:behind_90_curves" in {one["target"] for one in behind}
    summed = ("lineage", "curated.loan_vintage.upb", "--direction", "up", "--depth", "1", "-o", "json")
    kinds = {
        one["source_column"]: one["kind"] for one in json.loads(headwater(box, *summed).stdout)["columns"]
        if one["target_column"]
    }  # fmt: skip
    assert kinds == {"current_actual_upb": "aggregated"}
    page = requests.get(
        f"http://{box.address('catalog')}/column",
        params={"name": "curated.loan_vintage", "column": "cumulative_default_rate"},
        timeout=30,
    ).text
    assert "raw.loan_performance" in page
    assert "/table?name=chart%3Adefault_curves" in page
    assert "Defaulted so far, by loan age" in page  # people read a chart's title


def _shown_in_readme(name):
    """Return the file that the README shows, from the comment with its name on."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    return readme.partition(f"\n# {name}\n")[2].partition("\n```")[0] + "\n"


def test_a_second_project_outside_the_repository_runs_on_the_box(loans, tmp_path):
    """The README's one, with headwater.toml and one file: `up` has the same box serve it, and go back."""
    box, _, _ = loans
    (tmp_path / "tables").mkdir()
    for name in ("headwater.toml", "tables/big_states.py"):
        (tmp_path / name).write_text(_shown_in_readme(name))
    other = type(box).load({**box.environment(), "HEADWATER_PROJECT": str(tmp_path)})
    refused = headwater(other, "materialize", "curated.big_states", check=False)
    assert "serves the project in" in refused.stderr

    try:
        assert "from now on the one in" in headwater(other, "up").stdout
        headwater(other, "materialize", "curated.big_states")
        assert _count(box, "curated.big_states") > 10
    finally:
        headwater(box, "up")

    assert "nothing was written" in headwater(box, "materialize", "--all", "--stale").stdout


def test_an_error_in_sql_points_at_the_place(box):
    """One sentence with line and column, no stack trace."""
    done = headwater(box, "sql", "select 1,\n nope from raw.x", check=False)

    assert done.returncode == 1
    assert "line" in done.stderr
    assert "Traceback" not in done.stderr
