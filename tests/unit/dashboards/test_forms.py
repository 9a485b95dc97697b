"""What is pulled and pushed again is the same: files and Superset's form undo each other."""

from __future__ import annotations

import json
from pathlib import Path

from headwater.profile import Profile
from headwater.project import load_project
from headwater_dashboards.documents import folders, load
from headwater_dashboards.forms import task_of
from headwater_dashboards.pulling import files_of, write_files
from headwater_dashboards.tables import reader
from headwater_dashboards.validation import validate

# The uuid of a database of Superset's.
LAKE = "6a4f3c1e-6f0d-5d0b-9c55-7d1f6c0b0001"
REPOSITORY = Path(__file__).resolve().parents[3]


def _page(name):
    return f"http://127.0.0.1:7713/table?name={name}"


def _task(documents, tables):
    return task_of("test", documents, validate(documents, tables), lake=LAKE, page=_page)


def _answer(task):
    """What Superset's endpoint answers when it holds a task with one dashboard; numbers come back sorted by name."""
    held = json.loads(json.dumps(task, sort_keys=True))
    return {"dashboard": held["dashboards"][0], "charts": held["charts"], "datasets": held["datasets"]}


def test_a_pull_of_what_was_pushed_changes_no_file(written):
    """No word and no order of it."""
    documents = written.load()

    assert (
        files_of(_answer(_task(documents, written.tables)), documents, written.tables, written.folder, lake=LAKE) == {}
    )


def test_a_pull_into_an_empty_folder_pushes_the_same(written, tmp_path):
    """Nothing is lost on the way: layout, tabs, markdown, filters, expressions."""
    documents = written.load()
    task = _task(documents, written.tables)

    write_files(files_of(_answer(task), load([]), written.tables, tmp_path / "new", lake=LAKE))
    again = _task(load([tmp_path / "new"]), written.tables)

    def by_uuid(held):
        return {one["uuid"]: one for kind in ("datasets", "charts", "dashboards") for one in held[kind]}

    assert by_uuid(again) == by_uuid(task)


def test_an_edit_in_superset_changes_its_file_alone(written):
    """And keeps the order in which the file was written, so that a difference is short."""
    documents = written.load()
    answer = _answer(_task(documents, written.tables))
    chart = next(one for one in answer["charts"] if one["title"] == "Income")
    chart["title"] = "Takings"
    before = (written.folder / "charts" / "income.yaml").read_text()

    files = files_of(answer, documents, written.tables, written.folder, lake=LAKE)
    write_files(files)

    assert [file.name for file in files] == ["income.yaml"]
    assert (written.folder / "charts" / "income.yaml").read_text() == before.replace("title: Income", "title: Takings")


def test_a_chart_added_in_superset_gets_a_file_of_its_own(written):
    """Named by its title, beside a file that has that name already."""
    documents = written.load()
    answer = _answer(_task(documents, written.tables))
    added = {**answer["charts"][0], "uuid": "7e3864f8-34ea-5201-a049-de436c392a96", "title": "Income!"}
    answer["charts"].append(added)
    part = {
        "type": "CHART",
        "id": "CHART-x1",
        "children": [],
        "meta": {"uuid": added["uuid"], "width": 4, "height": 50},
    }
    answer["dashboard"]["position"]["CHART-x1"] = part
    answer["dashboard"]["position"]["ROW-1"]["children"].append("CHART-x1")

    files = files_of(answer, documents, written.tables, written.folder, lake=LAKE)

    assert {file.name for file in files} == {"income_2.yaml", "taxi_trips.yaml"}
    row = files[written.folder / "dashboards" / "taxi_trips.yaml"]["layout"][0]["row"]
    assert row[-1] == {"chart": "income_2", "id": "CHART-x1"}


def test_columns_and_docs_come_from_the_table(written):
    """A dataset's file names the table; what it says of a column is added to that."""
    dataset = _task(written.load(), written.tables)["datasets"][0]

    assert (dataset["schema"], dataset["table"], dataset["time"]) == ("raw", "trips", "started")
    assert dataset["description"].startswith("One row per trip.\n\nIn the catalog: ")
    assert dataset["columns"]["started"] == {"type": "TIMESTAMP(6)", "description": "When it began.", "time": True}
    assert dataset["columns"]["fare"] == {"type": "DOUBLE", "description": "In dollars.", "title": "Fare"}
    assert set(dataset["metrics"]) == {"count", "income"}


def test_the_default_projects_dashboards_fit_its_tables():
    """Two dashboards with four charts or more each, without asking any engine."""
    profile = Profile.load({"HEADWATER_PROJECT": str(REPOSITORY)})

    def no_engine():
        raise AssertionError("every table has a definition")

    documents = load(folders(profile))
    task = task_of("loans", documents, validate(documents, reader(load_project(profile), no_engine)), lake=LAKE)

    assert {one["slug"] for one in task["dashboards"]} == {"loan-portfolio", "loan-delinquency"}
    for one in task["dashboards"]:
        assert sum(part["type"] == "CHART" for part in one["position"].values()) >= 4


def test_a_dataset_leads_to_its_table_in_the_catalog(written):
    """Its description ends with the address; a pull takes that off again, wherever the catalog was by then."""
    documents = written.load()
    answer = _answer(_task(documents, written.tables))
    for one in answer["datasets"]:
        page = _page(f"{one['schema']}.{one['table']}")
        assert one["description"].endswith(f"In the catalog: {page}")
        one["description"] = one["description"].replace("127.0.0.1:7713", "catalog.example.org")

    assert files_of(answer, documents, written.tables, written.folder, lake=LAKE) == {}
