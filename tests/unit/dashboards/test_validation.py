"""Nothing reaches Superset that names what is not there; the sentence says file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from headwater.errors import ConfigError, DashboardError
from headwater.profile import Profile
from headwater_dashboards.documents import KINDS, folders, load
from headwater_dashboards.forms import task_of
from headwater_dashboards.tables import ColumnFacts, TableFacts
from headwater_dashboards.validation import validate


def _problem(written):
    with pytest.raises(DashboardError) as caught:
        validate(written.load(), written.tables)
    return str(caught.value)


def _edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if new in line)


def test_a_good_project_passes(written):
    """And every table that it names is known by its facts."""
    assert list(validate(written.load(), written.tables)) == ["raw.trips"]


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        (
            "charts/income",
            "x_axis: started",
            "x_axis: startd",
            "raw.trips has no column 'startd'; did you mean started",
        ),
        ("charts/income", "metrics: [income]", "metrics: [incme]", "has no metric 'incme'; did you mean income"),
        ("charts/income", "groupby: [busy]", "groupby: [busi]", "no column 'busi'"),
        ("charts/income", "kind: echarts_timeseries_bar", "kind: echarts_timeseries_bars", "no kind of chart"),
        ("charts/payments", "kind: pie", "kind: piee", "Superset has no kind of chart 'piee'; did you mean pie"),
        ("charts/income", "dataset: trips", "dataset: trip", "no dataset 'trip'; there are trips"),
        ("charts/payments", "metric: count", "metric: {sqlExpression: sum(fares), expressionType: SQL}", "'fares'"),
        ("charts/payments", "subject: fare", "subject: far", "no column 'far'"),
        ("datasets/trips", "table: raw.trips", "table: raw.tripz", "there is no table raw.tripz"),
        ("datasets/trips", "sql: sum(fare)", "sql: sum(price)", "no column 'price'"),
        ("datasets/trips", "sql: riders > 2", "sql: riders >", "is no SQL expression"),
        ("dashboards/taxi_trips", "column: payment", "column: paiment", "did you mean payment"),
        ("dashboards/taxi_trips", "chart: payments", "chart: payment", "no chart 'payment'"),
        ("dashboards/taxi_trips", "exclude: [income]", "exclude: [outcome]", "no chart 'outcome'"),
        ("dashboards/taxi_trips", "width: 8", "width: 9", "the row is 13 columns wide"),
        ("dashboards/taxi_trips", "header: More", "heder: More", "no part of a layout"),
    ],
)
def test_a_wrong_name_is_refused_with_file_and_line(written, path, old, new, said):
    """Whichever file it is in, and however deep."""
    file = written.folder / f"{path}.yaml"
    line = _edit(file, old, new)

    problem = _problem(written).splitlines()[0]

    assert said in problem
    # The row is said to be too wide, the part of it that makes it so stands within.
    assert problem.startswith(f"{file}, line {line if 'wide' not in said else line - 2}: ")


def test_every_problem_is_said_at_once(written):
    """Nobody corrects a project one push at a time."""
    _edit(written.folder / "charts" / "income.yaml", "x_axis: started", "x_axis: a")
    _edit(written.folder / "charts" / "payments.yaml", "metric: count", "metric: b")

    assert len(_problem(written).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uuid: [", "line 1: this is no YAML"),
        ("- a", "line 1: a file of charts holds names"),
        ("title: x\nuuid: 1\ndataset: trips\nkind: pie\n", "line 2: uuid is no UUID"),
        ("uuid: 7e3864f8-34ea-5201-a049-de436c392a96\ntitle: x\nkind: pie\n", "dataset is missing"),
        (
            "uuid: 7e3864f8-34ea-5201-a049-de436c392a96\ntitle: x\nkind: pie\ndataset: trips\nparam: {}\n",
            "line 5: 'param' is not known",
        ),
        (
            "uuid: 7e3864f8-34ea-5201-a049-de436c392a96\ntitle: x\nkind: pie\ndataset: trips\nparams: []\n",
            "line 5: params must be a mapping",
        ),
    ],
)
def test_a_file_that_says_something_else_is_refused(written, text, said):
    """Before anything is compared with tables."""
    (written.folder / "charts" / "odd.yaml").write_text(text)

    with pytest.raises(DashboardError, match="odd.yaml") as caught:
        written.load()
    assert said in str(caught.value)


def test_two_files_with_one_uuid_or_slug_are_refused(written):
    """Superset would make one thing of them."""
    chart = written.folder / "charts" / "income.yaml"
    (written.folder / "charts" / "copy.yaml").write_text(chart.read_text())
    with pytest.raises(DashboardError, match="has the same uuid"):
        written.load()
    (written.folder / "charts" / "copy.yaml").unlink()
    written.put("dashboards", "other", title="Other", slug="taxi-trips", layout=[{"row": [{"chart": "income"}]}])

    assert "has the same slug" in _problem(written)


def test_two_datasets_of_one_table_are_refused(written):
    """Superset takes one per table."""
    written.put("datasets", "twin", table="raw.trips")

    assert "is of the same table" in _problem(written)


def test_a_dashboard_without_charts_is_refused(written):
    """Superset's importer could not take it."""
    written.put("dashboards", "empty", title="Empty", layout=[{"header": "Nothing"}])

    assert "has no chart" in _problem(written)


def test_headwater_toml_names_folders_and_packages(tmp_path):
    """The folder beside it counts always; what is neither folder nor package is refused by name."""
    (tmp_path / "headwater.toml").write_text('[project]\ndashboards = ["more", "headwater_dashboards.loans"]\n')
    (tmp_path / "more").mkdir()
    profile = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})

    own, more, package = folders(profile)

    assert (own, more) == (tmp_path / "dashboards", tmp_path / "more")
    assert {one.name for one in load([package]).of("dashboards")} == {"loan_delinquency", "loan_portfolio"}
    (tmp_path / "headwater.toml").write_text('[project]\ndashboards = ["nowhere"]\n')
    with pytest.raises(ConfigError, match="'nowhere', which is neither"):
        folders(profile)


def test_the_examples_of_the_documentation_are_valid(tmp_path):
    """What people copy works: each block names its file in the first line."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "dashboards.md").read_text(encoding="utf-8")
    for name, block in re.findall(r"```yaml\n# ([\w/]+\.yaml)[^\n]*\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(block)
    columns = [ColumnFacts("pickup", "TIMESTAMP(6)"), ColumnFacts("fare", "DOUBLE"), ColumnFacts("payment", "VARCHAR")]
    table = TableFacts("raw.taxis", (*columns, ColumnFacts("passengers", "INTEGER")))

    documents = load([tmp_path])
    facts = validate(documents, {"raw.taxis": table}.get)

    assert [len(documents.of(kind)) for kind in KINDS] == [1, 1, 1]
    assert task_of("docs", documents, facts, lake="")["dashboards"][0]["slug"] == "taxis"


@pytest.mark.parametrize(
    ("written_as", "line", "said"),
    [
        ("  a: &a [*a]\n", 7, "leads back into itself"),
        ("  a: &a {b: [*a]}\n", 7, "leads back into itself"),
        ("  a: " + "[" * 5000 + "]" * 5000 + "\n", 7, "deeper than"),
        ("title: Other\n", 7, "'title' is there twice, on line 2 already"),
        ("  a: 1\n  b: 2\n  a: 3\n", 9, "'a' is there twice, on line 7 already"),
        ("  a: {b: 1, b: 2}\n", 7, "'b' is there twice, on line 7 already"),
        ("  a: [{b: 1,\n    b: 2}]\n", 8, "'b' is there twice, on line 7 already"),
    ],
)
def test_yaml_that_would_lose_something_is_refused(written, written_as, line, said):
    """A key that is there twice, or a value within itself: one sentence with file and line."""
    file = written.folder / "charts" / "payments.yaml"
    uuid = file.read_text().splitlines()[0]
    file.write_text(f"{uuid}\ntitle: P\ndataset: trips\nkind: pie\ndescription: D\nparams:\n{written_as}")

    assert re.fullmatch(rf".*payments\.yaml, line {line}: .*{re.escape(said)}[^\n]*", _problem(written))


def test_yaml_may_share_values(written):
    """An alias of what is elsewhere is no circle; a merged key may be overridden."""
    file = written.folder / "charts" / "payments.yaml"
    file.write_text(file.read_text() + "  a: &a {b: 1}\n  c: [*a, *a]\n  d: {<<: *a, b: 2}\n")

    assert written.load().find("charts", "payments").data["params"]["d"] == {"b": 2}
