"""Dashboards as code on the real Superset: pushed whole or not at all, drawn in a browser, pulled back without loss."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import yaml
from browser import look_at, superset_page
from command_line import headwater
from headwater.box.components.databases import connect
from headwater.profile import inherited_env
from headwater.stack import Stack
from headwater_dashboards.superset import Superset, dashboard_url
from served import served

pytestmark = pytest.mark.box

PICTURES = Path(__file__).resolve().parents[2] / ".headwater-test" / "pictures"
SLUGS = {"loan-portfolio": 10, "loan-delinquency": 10}
# The number of the lock that a push takes first; holding it stops a push inside its transaction.
LOCK = 7700770017


class Api:
    """Superset's own API, as a script of a user's would call it."""

    def __init__(self, profile) -> None:
        self.base = f"http://{profile.address('superset')}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {Superset(profile)._token}"
        self.session.headers["X-CSRFToken"] = self("GET", "/security/csrf_token/")["result"]

    def __call__(self, method, path, **content):
        """Ask, and return what it answers."""
        answer = self.session.request(method, self.base + path, timeout=60, **content)
        assert answer.ok, answer.text
        return answer.json()

    def every(self, kind):
        """All of a kind by title, with what a list shows of it."""
        found = self("GET", f"/{kind}/?q=(page_size:500)")["result"]
        return {one.get("slice_name") or one.get("dashboard_title") or one.get("table_name"): one for one in found}

    def stamps(self):
        """When each thing was last changed."""
        kinds = ("chart", "dashboard", "dataset")
        return {(kind, one["id"]): one["changed_on_utc"] for kind in kinds for one in self.every(kind).values()}


@pytest.fixture(scope="module")
def loans(box):
    """The box with 20,000 loans of two years in all tables."""
    folder = box.project / "data" / "loans"
    headwater(box, "demo-data", "loans", "--rows", "20000", "--years", "2019-2020", "--out", str(folder))
    headwater(box, "materialize", "--all", "--stale", timeout=900)
    return box


@pytest.fixture
def project(loans, tmp_path):
    """A project of the test's own with the default project's dashboards, pushed."""
    shutil.copytree(str(files("headwater_dashboards") / "loans"), tmp_path / "dashboards", dirs_exist_ok=True)
    (tmp_path / "headwater.toml").write_text('[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n')
    profile = type(loans).load({**loans.environment(), "HEADWATER_PROJECT": str(tmp_path)})
    with served(profile):
        headwater(profile, "dashboards", "push")
        yield SimpleNamespace(profile=profile, folder=tmp_path / "dashboards", api=Api(profile))


def _push(project, *, check=True):
    return headwater(project.profile, "dashboards", "push", check=check)


def _rewrite(file, **changes):
    data = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**data, **changes}, sort_keys=False))


def test_the_login_page_does_not_log_people_out(box):
    """It tells Superset that it was looked at; the answer once took the session of who logged in meanwhile."""
    with requests.Session() as nobody:
        nobody.trust_env = False
        nobody.get(f"http://{box.address('superset')}/login/", timeout=60)
        answer = nobody.post(f"http://{box.address('superset')}/superset/log/?explode=events", timeout=60)

    assert nobody.cookies
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (204, None)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_chart_of_the_default_dashboards_is_drawn(project, slug):
    """A person who logs in sees data in every chart, and no error; the picture is kept."""
    with superset_page(project.profile) as page:
        drawn = look_at(page, dashboard_url(project.profile, slug), SLUGS[slug], PICTURES / f"{slug}.png")

    assert len(drawn) == SLUGS[slug] >= 4
    assert [one for one in drawn if one.trouble or one.content < 300] == []
    assert (PICTURES / f"{slug}.png").stat().st_size > 20_000


def test_a_chart_is_one_line_of_supersets_log(project):
    """Its steps are not: each would be a commit, after which Superset reads the user and the dataset anew."""
    dataset = project.api.every("dataset")["loan_vintage"]["id"]
    asked = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [{"columns": ["year"], "metrics": ["behind_30"], "row_limit": 10}],
        "force": True,
    }
    with connect(project.profile, "superset-db") as connection:
        last = connection.execute("SELECT max(id) FROM logs").fetchone()[0]
        project.api("POST", "/chart/data", json=asked)
        logged = [row[0] for row in connection.execute("SELECT action FROM logs WHERE id > %s", (last,))]

    assert logged == ["ChartDataRestApi.data"]


def test_a_browser_sees_a_chart_that_fails(project):
    """The eyes of the tests above are open: a chart whose table is gone is reported."""
    stack = Stack.build(project.profile)
    stack.engine("trino").arrow("DROP TABLE IF EXISTS curated.soon_gone")
    stack.engine("trino").arrow("CREATE TABLE curated.soon_gone AS SELECT 1 AS a, 'x' AS b")
    headwater(project.profile, "dashboards", "draft", "curated.soon_gone")
    _push(project)
    stack.engine("trino").arrow("DROP TABLE curated.soon_gone")

    with superset_page(project.profile) as page:
        drawn = look_at(page, dashboard_url(project.profile, "curated-soon-gone"), 2, PICTURES / "gone.png")

    assert all(one.trouble for one in drawn)


def test_a_second_push_says_so_and_changes_nothing(project):
    """Not even the time of the last change."""
    before = project.api.stamps()

    said = _push(project).stdout

    assert said.startswith("Nothing changed.\n")
    assert project.api.stamps() == before
    assert dashboard_url(project.profile, "loan-portfolio") in said


def test_what_left_the_yaml_leaves_superset_and_nothing_else(project):
    """A user's own chart stays, and with it the dataset that it reads."""
    api = project.api
    dataset = api.every("dataset")["loan_vintage"]["id"]
    mine = {"slice_name": "Mine", "viz_type": "table", "datasource_id": dataset, "datasource_type": "table"}
    mine = api("POST", "/chart/", json={**mine, "params": "{}"})["id"]
    kept = {"loan_state", "loan_origination", "loan_seller_risk"}
    for file in project.folder.rglob("*.yaml"):
        data = yaml.safe_load(file.read_text())
        if file.stem in {"loan_vintage", "loan_delinquency"} or data.get("dataset") == "loan_vintage":
            file.unlink()

    said = _push(project).stdout

    assert "removed  dashboard  Delinquency by vintage" in said
    assert set(api.every("dashboard")) >= {"Loan portfolio"}
    assert "Delinquency by vintage" not in api.every("dashboard")
    assert "Mine" in api.every("chart")
    assert "Vintages compared" not in api.every("chart")
    assert kept | {"loan_vintage"} <= set(api.every("dataset"))

    api("DELETE", f"/chart/{mine}")
    assert "removed  dataset    loan_vintage" in _push(project).stdout


def test_a_dataset_of_a_users_own_is_shared_and_not_taken_over(project):
    """Superset takes one dataset per table, and its own import would overwrite the user's."""
    api = project.api
    shutil.rmtree(project.folder)
    _push(project)
    database = api("GET", "/database/")["result"][0]["id"]
    table = {"database": database, "schema": "curated", "table_name": "loan_state"}
    own = api("POST", "/dataset/", json=table)["id"]
    try:
        _share(project, own)
    finally:
        api("DELETE", f"/dataset/{own}")


def _share(project, own):
    api = project.api
    made = api("GET", f"/dataset/{own}")["result"]["metrics"]  # Superset makes one, count
    mine = [{name: one[name] for name in ("id", "metric_name", "expression")} for one in made]
    mine.append({"metric_name": "mine", "expression": "max(loans)"})
    api("PUT", f"/dataset/{own}", json={"metrics": mine})
    uuid = api("GET", f"/dataset/{own}")["result"]["uuid"]
    shutil.copytree(str(files("headwater_dashboards") / "loans"), project.folder)

    _push(project)

    held = api("GET", f"/dataset/{own}")["result"]
    assert held["uuid"] == uuid
    assert {"mine", "count", "loans_made"} <= {one["metric_name"] for one in held["metrics"]}
    assert _push(project).stdout.startswith("Nothing changed.")
    with superset_page(project.profile) as page:
        drawn = look_at(page, dashboard_url(project.profile, "loan-portfolio"), 10, PICTURES / "shared.png")
    assert [one for one in drawn if one.trouble] == []

    shutil.rmtree(project.folder)
    _push(project)

    left = [one["metric_name"] for one in api("GET", f"/dataset/{own}")["result"]["metrics"]]
    assert {"mine", "count"} <= set(left)


def test_two_projects_share_a_table_without_breaking_each_other(project, tmp_path):
    """Each pushes and removes its own metrics of the one dataset."""
    other = tmp_path / "other"
    shutil.copytree(project.folder / "datasets", other / "dashboards" / "datasets")
    file = other / "dashboards" / "datasets" / "loan_state.yaml"
    for each in (other / "dashboards" / "datasets").iterdir():
        if each != file:
            each.unlink()
    _rewrite(file, uuid="11111111-2222-4333-8444-555555555555", metrics={"theirs": {"sql": "min(loans)"}})
    (other / "headwater.toml").write_text('[project]\nname = "other"\ndefinitions = ["headwater_assets.loans"]\n')
    theirs = type(project.profile).load({**project.profile.environment(), "HEADWATER_PROJECT": str(other)})

    def metrics():
        held = project.api("GET", f"/dataset/{project.api.every('dataset')['loan_state']['id']}")["result"]
        return {one["metric_name"] for one in held["metrics"]}

    with served(theirs):
        headwater(theirs, "dashboards", "push")
    assert {"theirs", "loans_made"} <= metrics()
    assert _push(project).stdout.startswith("Nothing changed.")
    _rewrite(file, metrics={"loans_made": {"sql": "min(loans)"}})
    with served(theirs):
        assert "has another 'loans_made'" in headwater(theirs, "dashboards", "push", check=False).stderr
    assert {"theirs", "loans_made"} <= metrics()
    _rewrite(file, metrics={})
    with served(theirs):
        headwater(theirs, "dashboards", "push")
    assert "theirs" not in metrics()


def test_an_unknown_column_stops_the_push(project):
    """With file and line, and Superset as it was."""
    before = project.api.stamps()
    file = project.folder / "charts" / "default_curves.yaml"
    file.write_text(file.read_text().replace("x_axis: loan_age", "x_axis: loan_aeg"))
    _rewrite(project.folder / "charts" / "vintages.yaml", title="Changed as well")
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "loan_aeg" in text)

    done = _push(project, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        f"error: {file}, line {line}: curated.loan_vintage has no column 'loan_aeg'; did you mean loan_age?\n"
    )
    assert project.api.stamps() == before


def test_what_superset_refuses_changes_nothing(project):
    """Another dashboard already has the address."""
    taken = project.api("POST", "/dashboard/", json={"dashboard_title": "Somebody's", "slug": "taken"})["id"]
    before = project.api.stamps()
    _rewrite(project.folder / "dashboards" / "loan_portfolio.yaml", slug="taken", title="Mine now")

    done = _push(project, check=False)

    assert "another dashboard (\"Somebody's\") at the address 'taken'" in done.stderr
    assert project.api.stamps() == before
    project.api("DELETE", f"/dashboard/{taken}")


def test_an_edit_in_superset_comes_back_as_yaml(project):
    """Chart, title and a chart more; a push after that changes nothing."""
    api = project.api
    chart = api("GET", f"/chart/{api.every('chart')['Loans made']['id']}")["result"]
    api("PUT", f"/chart/{chart['id']}", json={"slice_name": "Loans, all of them"})
    source = api.every("dataset")["loan_state"]["id"]
    board = api.every("dashboard")["Loan portfolio"]["id"]
    added = {"slice_name": "Added", "viz_type": "pie", "datasource_id": source, "datasource_type": "table"}
    params = '{"metric": "loans_made", "groupby": ["state"], "viz_type": "pie"}'
    api("POST", "/chart/", json={**added, "params": params, "dashboards": [board]})
    api("PUT", f"/dashboard/{board}", json={"dashboard_title": "The portfolio"})

    said = headwater(project.profile, "dashboards", "pull", "loan-portfolio").stdout
    again = _push(project).stdout

    assert said.count("wrote ") == 3
    assert yaml.safe_load((project.folder / "charts" / "loans_made.yaml").read_text())["title"] == "Loans, all of them"
    assert yaml.safe_load((project.folder / "charts" / "added.yaml").read_text())["params"]["groupby"] == ["state"]
    assert yaml.safe_load((project.folder / "dashboards" / "loan_portfolio.yaml").read_text())["title"] == (
        "The portfolio"
    )
    assert again.startswith("Nothing changed.")
    assert headwater(project.profile, "dashboards", "pull", "loan-portfolio").stdout == "Nothing changed.\n"


def test_a_browsers_own_save_comes_back_too(project):
    """What the page writes when somebody presses Save is pulled without loss."""
    with superset_page(project.profile) as page:
        page.goto(dashboard_url(project.profile, "loan-delinquency"))
        page.get_by_text("Edit dashboard").click()
        page.locator('[data-test="editable-title-input"]').click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("Delinquency, edited")
        page.keyboard.press("Enter")
        page.locator('[data-test="header-save-button"]').click()
        page.get_by_text("Edit dashboard").wait_for()

    headwater(project.profile, "dashboards", "pull", "loan-delinquency")

    file = project.folder / "dashboards" / "loan_delinquency.yaml"
    assert yaml.safe_load(file.read_text())["title"] == "Delinquency, edited"
    assert _push(project).stdout.startswith("Nothing changed.")


def test_a_killed_push_leaves_what_was_there(project):
    """Kill -9 while Superset is in the middle of it: none of the changes is kept."""
    before = project.api.stamps()
    for file in (project.folder / "charts").glob("*.yaml"):
        _rewrite(file, title=f"Half {file.stem}")
    with connect(project.profile, "superset-db") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        pusher = subprocess.Popen(
            [sys.executable, "-m", "headwater", "dashboards", "push"],
            env=inherited_env(**project.profile.environment()),
            stdout=subprocess.DEVNULL,
        )
        # Of this database: the catalog holds one of its own all the time.
        ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        waiting = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours} AND NOT granted"
        _until(lambda: connection.execute(waiting).fetchone()[0] == 1)
        pusher.send_signal(signal.SIGKILL)
        pusher.wait()
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        held = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}"
        _until(lambda: connection.execute(held).fetchone()[0] == 0)

    assert project.api.stamps() == before
    assert sum(title.startswith("Half ") for title in project.api.every("chart")) == 0
    assert _push(project).stdout.count("changed  chart") == 20


def _until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_draft_of_any_table_is_drawn(project):
    """A table that no definition knows, with every kind of column; names that SQL keeps for itself among them."""
    stack = Stack.build(project.profile)
    stack.engine("trino").arrow("DROP TABLE IF EXISTS curated.odd_mix")
    stack.engine("trino").arrow("""
        CREATE TABLE curated.odd_mix AS
        SELECT n AS id, CAST(n % 7 AS integer) AS "select", CAST(sqrt(n) AS double) AS root,
            CAST(n AS decimal(20,2)) / 3 AS amount, CAST(n AS real) AS small, n % 3 = 0 AS "order",
            CASE WHEN n % 5 > 0 THEN 'kind ' || CAST(n % 5 AS varchar) END AS kind, CAST(null AS varchar) AS nothing,
            date_add('day', CAST(n AS integer), date '2020-02-28') AS "day",
            CAST(date_add('minute', n, timestamp '2024-01-01 00:00:00') AS timestamp(6)) AS moment,
            CAST(n AS varchar) AS text_number, ARRAY[n] AS list, MAP(ARRAY['a'], ARRAY[n]) AS pairs,
            CAST(ROW(n, 'x') AS ROW(a bigint, b varchar)) AS nested, to_utf8('x') AS bytes,
            infinity() AS endless
        FROM UNNEST(sequence(1, 500)) AS t(n)
    """)
    headwater(project.profile, "dashboards", "draft", "curated.odd_mix")
    _push(project)

    with superset_page(project.profile) as page:
        drawn = look_at(page, dashboard_url(project.profile, "curated-odd-mix"), 8, PICTURES / "odd-mix.png")

    assert len(drawn) >= 8
    assert [one for one in drawn if one.trouble or one.content < 300] == []
    assert {"Rows", "Rows by day", "Rows by kind", "Some rows"} <= {one.title for one in drawn}
    again = headwater(project.profile, "dashboards", "draft", "curated.odd_mix", check=False)
    assert "is there already, and it is yours" in again.stderr


@pytest.mark.parametrize("table", ["partitioned.loan_performance", "raw.loan_origination", "curated.loan_seller_risk"])
def test_a_draft_of_the_loans_has_data_in_every_chart(project, table):
    """Typed, all text, and small."""
    headwater(project.profile, "dashboards", "draft", table)
    _push(project)
    slug = table.replace(".", "-").replace("_", "-")

    with superset_page(project.profile) as page:
        drawn = look_at(page, dashboard_url(project.profile, slug), 3, PICTURES / f"{slug}.png")

    assert [one for one in drawn if one.trouble or one.content < 300] == []


def test_nobody_sees_a_dashboard_without_the_login(project):
    """Not the page, not the data, not the endpoint that Headwater added, and no browser's session opens that one."""
    with superset_page(project.profile, login=False) as page:
        page.goto(dashboard_url(project.profile, "loan-portfolio"))
        assert "/login/" in page.url
        assert page.locator(".dashboard-component-chart-holder").count() == 0
    for method, path in (
        ("GET", "/dashboard/loan-portfolio"),
        ("POST", "/headwater/push"),
        ("GET", "/headwater/dashboard?name=loan-portfolio"),
    ):
        answer = requests.request(method, f"{project.api.base}{path}", json={}, timeout=30)
        assert answer.status_code in {401, 404}, path
    with superset_page(project.profile) as page:
        answer = page.request.get(f"{project.api.base}/headwater/dashboard?name=loan-portfolio")
        assert answer.status == 401


def test_dagster_shows_each_dashboard_downstream_of_its_tables(loans):
    """With its owner, its kind and a link to it."""
    query = """{ assetNodes { assetKey { path } groupName kinds isMaterializable dependencyKeys { path }
      owners { ... on TeamAssetOwner { team } } metadataEntries { ... on UrlMetadataEntry { url } } } }"""
    answer = requests.post(f"http://{loans.address('dagster')}/graphql", json={"query": query}, timeout=60).json()
    nodes = {".".join(one["assetKey"]["path"]): one for one in answer["data"]["assetNodes"]}

    node = nodes["dashboards.loan_delinquency"]
    assert {".".join(one["path"]) for one in node["dependencyKeys"]} == {"curated.loan_vintage", "curated.loan_state"}
    assert (node["groupName"], node["kinds"], node["isMaterializable"]) == ("dashboards", ["superset"], False)
    assert node["owners"] == [{"team": "risk"}]
    assert {"url": dashboard_url(loans, "loan-delinquency")} in node["metadataEntries"]


def test_the_tour_prints_the_dashboards_links(loans):
    """They are what the demo ends with."""
    said = headwater(loans, "tour").stdout

    assert all(dashboard_url(loans, slug) in said for slug in SLUGS)
