"""The lake's way up: from the test box to a second one that plays AWS, with its own S3, Glue and Athena."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from aws_site import AwsSite
from command_line import headwater
from headwater.box.clients import aws_variables
from headwater.errors import RowsDiffer
from headwater.layout import location
from headwater.migrate import Migration
from headwater.profile import Profile, inherited_env
from headwater.stack import Stack
from headwater.table import Partitioning, TableName
from own_box import own_box

pytestmark = [pytest.mark.box, pytest.mark.full]

BUCKET, WORK_GROUP = "cloud", "headwater"
YEARS = Partitioning("year", "year", "2019")
TYPES = """
SELECT n AS id, CAST(n AS double) / 3 AS share, CAST(n AS real) / 7 AS part, CAST(n AS decimal(12, 3)) / 8 AS price,
  if(n % 3 = 0, NULL, 'text ü ' || CAST(n AS varchar)) AS name, n % 2 = 0 AS even, CAST(n % 5 AS integer) AS five,
  DATE '2024-02-29' + n * INTERVAL '1' DAY AS day, TIMESTAMP '2024-02-29 12:00:00.123456' AS moment,
  TIMESTAMP '2024-02-29 12:00:00.123456 UTC' AS instant, CAST('bytes' AS varbinary) AS data,
  ARRAY[n, n + 1] AS several, MAP(ARRAY['a'], ARRAY[n]) AS pairs, CAST(ROW(n, 'x') AS ROW(a bigint, b varchar)) AS deep
FROM UNNEST(sequence(1, 50)) AS s (n)
"""


@pytest.fixture(scope="module")
def lake(shared_lake):
    """One for all tests here."""
    return shared_lake


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """What plays AWS, with the work group that the stack makes."""
    with own_box(tmp_path_factory.mktemp("cloud"), HEADWATER_BUCKET=BUCKET) as profile:
        site = AwsSite(profile)
        place = {"OutputLocation": f"s3://{BUCKET}/athena-results/"}
        site.client("athena").create_work_group(Name=WORK_GROUP, Configuration={"ResultConfiguration": place})
        yield site


@pytest.fixture(scope="module")
def variables(cloud):
    """The AWS clients' variables that lead there."""
    return aws_variables(cloud.profile)


@pytest.fixture(scope="module")
def up(lake, variables):
    """Run the command as a user would, with these variables; returns the ended process."""

    def run(*arguments, check=True, **more):
        own = {name: text for name, text in more.items() if name.startswith("HEADWATER_")}
        profile = replace(lake.stack.profile, settings={**lake.stack.profile.settings, **own})
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**variables, **more}.items():
                patch.setenv(name, value)
            return headwater(profile, "migrate", "--to", "aws", "--bucket", BUCKET, *arguments, check=check)

    return run


@pytest.fixture(scope="module")
def tables(lake):
    """One table of every kind that a lake has, with a past."""
    sql, mark = lake.stack.engine("trino").rows, lake.mark
    raw = lake.raw(("id", "amount"))
    for year in ("2019", "2020"):
        lake.drop_file(f"rows_{year}.txt", "".join(f"{n}|{n * int(year)}\n" for n in range(30)))
    lake.load(raw, "2019", "2020")
    lake.drop_file("cities.csv", "city,people\nTübingen,92000\nUlm,126000\n")
    ingested = f"raw.cities_{mark}"
    folder = lake.stack.profile.project / "data" / mark
    headwater(lake.stack.profile, "ingest", str(folder / "cities.csv"), "--table", ingested)
    body = "SELECT CAST(n AS varchar) AS id, CAST(2018 + n AS integer) AS year FROM UNNEST(ARRAY[1, 2, 3]) AS s (n)"
    cut = lake.table({"id": "string", "year": "int"}, zone="partitioned", partitioning=YEARS, body=body, tags=("x",))
    lake.write(cut, "2019", "2020")
    lake.write(cut, "2021")
    types = lake.name("curated", "types")
    sql(f"CREATE TABLE {types} WITH (partitioning = ARRAY['five']) AS {TYPES}")
    sql(f"ANALYZE {types}")
    sql(f"DELETE FROM {types} WHERE id IN (3, 33)")
    sql(f"UPDATE {types} SET name = 'new' WHERE id = 8")
    empty = lake.name("curated", "empty")
    sql(f"CREATE TABLE {empty} (id bigint)")
    parquet = lake.name("curated", "parquet")
    sql(
        f"CREATE TABLE hive.{parquet} WITH (format = 'PARQUET', partitioned_by = ARRAY['half']) AS "
        "SELECT n, n / 2 AS half FROM UNNEST(sequence(1, 5)) AS s (n)"
    )
    sql(f"CREATE VIEW {lake.name('curated', 'view')} AS SELECT * FROM {types}")
    yield {"raw": raw.name, "ingested": ingested, "cut": cut.name, "types": types, "empty": empty, "parquet": parquet}
    sql(f"DROP VIEW {lake.name('curated', 'view')}")


@pytest.fixture(scope="module")
def moved(up, tables):
    """What the first run says."""
    return up(*tables.values(), "--yes").stdout


def theirs(cloud, sql):
    """Return what Athena answers."""
    return sorted((tuple(row) for row in cloud.rows(sql)), key=repr)


def mine(lake, sql):
    """Return what the box answers, as text."""
    return sorted((tuple(row) for row in lake.stack.engine("trino").texts(sql)[1]), key=repr)


def far(lake, cloud):
    """Return the object store on the other side."""
    return Stack.build(cloud.profile).storage


def known(cloud):
    """Return the tables that Glue has."""
    glue = cloud.client("glue")
    databases = [one["Name"] for one in glue.get_databases()["DatabaseList"]]
    return [table["Name"] for name in databases for table in glue.get_tables(DatabaseName=name)["TableList"]]


def test_the_plan_comes_first_and_changes_nothing(lake, cloud, up, tables):
    """Every table with its kind and place, what costs, and that views stay; neither objects nor tables are made."""
    said = up("--dry-run", *tables.values()).stdout
    every = up("--dry-run").stdout

    for name in tables.values():
        assert f"s3://{BUCKET}/{name.replace('.', '/')}" in said
    assert "6 tables, at most" in said
    assert "Athena: reads each copy once" in said
    assert lake.name("curated", "view") in every.partition("Views are not copied")[2]
    assert not [one for one in far(lake, cloud).objects(f"s3://{BUCKET}/") if lake.mark in one.uri]
    assert not [name for name in known(cloud) if lake.mark in name]


def test_nothing_is_copied_unasked(up, tables, variables):
    """Without an answer it ends."""
    done = up(tables["empty"], check=False)

    assert done.returncode == 1
    assert "Copy 1 table?" in done.stdout


@pytest.mark.parametrize("kind", ["raw", "ingested", "cut", "empty", "parquet"])
def test_every_table_has_the_same_rows(lake, cloud, tables, moved, kind):
    """As Athena reads them, and each line of the report says so."""
    sql = f"SELECT * FROM {tables[kind]}"

    assert theirs(cloud, sql) == mine(lake, sql)
    [line] = [one for one in moved.splitlines() if one.startswith(f"{tables[kind]} ") and one.endswith("the same")]
    assert line


def test_every_type_deletes_and_the_past_come_along(lake, cloud, tables, moved):
    """Rows deleted after they were written stay deleted; a former snapshot is read as it was; statistics are there."""
    columns = "id, share, part, price, name, even, five, day, data"
    sql = f"SELECT count(*), sum(id), count(name), max(CAST(moment AS varchar)), max(several[2]) FROM {tables['types']}"
    past = mine(lake, f'SELECT min(snapshot_id), count(*) FROM curated."{tables["types"].partition(".")[2]}$snapshots"')
    [(oldest, several)] = past
    former = f"SELECT {columns} FROM {tables['types']} FOR VERSION AS OF {oldest}"

    assert int(several) >= 3
    assert theirs(cloud, sql) == mine(lake, sql)
    snapshots = f'SELECT snapshot_id FROM curated."{tables["types"].partition(".")[2]}$snapshots"'
    assert theirs(cloud, snapshots) == mine(lake, snapshots)
    assert mine_of(cloud, former) == mine(lake, former)
    statistics = f"SHOW STATS FOR {tables['types']}"
    assert mine_of(cloud, statistics) == mine(lake, statistics)


def mine_of(cloud, sql):
    """Return what the other side's own Trino answers, as text."""
    return sorted((tuple(row) for row in Stack.build(cloud.profile).engine("trino").texts(sql)[1]), key=repr)


def test_nothing_on_the_other_side_names_the_box(lake, cloud, tables, moved):
    """No location of any file leads back."""
    for kind in ("ingested", "cut", "types"):
        zone, _, name = tables[kind].partition(".")
        found = theirs(cloud, f'SELECT file_path FROM {zone}."{name}$files"')
        assert found
        assert all(path.startswith(f"s3://{BUCKET}/") for (path,) in found)
    for one in cloud.client("glue").get_tables(DatabaseName="raw")["TableList"]:
        assert one["StorageDescriptor"]["Location"].startswith(f"s3://{BUCKET}/raw/")
    assert not [name for name in known(cloud) if "__stage" in name]


def test_originals_come_along(lake, cloud, tables, moved):
    """Byte for byte, both what was ingested and what raw tables lie over; nothing is left of the staging place."""
    names = ("cities.csv", "rows_2019.txt")
    for storage, bucket in ((lake.stack.storage, lake.stack.profile.bucket), (far(lake, cloud), BUCKET)):
        found = {one.uri.rpartition("/")[2]: storage.read(one.uri) for one in storage.objects(f"s3://{bucket}/raw/")}
        assert "Tübingen" in found[names[0]].decode()
        assert found[names[1]].startswith(b"0|0\n1|2019\n")
    assert list(lake.stack.storage.objects(f"s3://{lake.stack.profile.bucket}/_migrate/")) == []


def test_again_there_is_nothing_to_copy(up, tables, moved):
    """And no question."""
    assert "There is nothing to copy." in up(*tables.values()).stdout


def test_only_what_changed_is_copied_again(lake, cloud, up, tables, moved):
    """New files of that table alone; its former state was shown until then."""
    types = tables["types"]
    lake.stack.engine("trino").rows(f"INSERT INTO {types} (id, five) VALUES (1000, 1)")
    said = up(*tables.values(), "--yes").stdout

    [line] = [one for one in said.splitlines() if one.startswith(types) and one.endswith("the same")]
    copied, there = map(int, line.split()[1:3])
    assert copied < there
    assert "Copy 1 table" in said or "1 table, at most" in said
    sql = f"SELECT count(*), max(id) FROM {types}"
    assert theirs(cloud, sql) == mine(lake, sql) == [("49", "1000")]


def test_what_was_changed_there_is_not_overwritten(lake, cloud, up, tables, moved):
    """Unless it is named."""
    cut = tables["cut"]
    cloud.rows(f"INSERT INTO {cut} VALUES ('there', 2030)")
    refused = up(*tables.values(), "--yes", check=False)
    named = up(cut, "--replace", cut, "--yes")

    assert refused.returncode == 1
    assert f"{cut} was changed on AWS since it was copied" in refused.stderr
    assert named.returncode == 0
    sql = f"SELECT * FROM {cut}"
    assert theirs(cloud, sql) == mine(lake, sql)


def test_somebody_elses_table_is_refused(lake, cloud, up):
    """One that no migration made."""
    name = lake.name("curated", "foreign")
    lake.stack.engine("trino").rows(f"CREATE TABLE {name} AS SELECT 1 AS id")
    cloud.client("glue").create_table(
        DatabaseName="curated",
        TableInput={
            "Name": name.partition(".")[2],
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}], "Location": f"s3://{BUCKET}/curated/x"},
        },
    )
    done = up(name, "--yes", check=False)

    assert done.returncode == 1
    assert f"{name} is in Glue already and no copy of a migration" in done.stderr
    assert "--replace" in done.stderr


def test_a_killed_run_goes_on(lake, cloud, up, variables):
    """What was copied is not copied again, and until the end nothing of that name is in Glue."""
    raw = _many_files(lake)
    place = f"s3://{BUCKET}/{raw.replace('.', '/')}/"
    command = [sys.executable, "-m", "headwater", "migrate", "--to", "aws", "--bucket", BUCKET, "--yes", raw]
    env = inherited_env(**{**lake.stack.profile.environment(), **variables})
    running = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while sum(1 for _ in far(lake, cloud).objects(place)) < 5 and time.monotonic() < deadline:
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    there = sum(1 for _ in far(lake, cloud).objects(place))
    names = known(cloud)
    said = up(raw, "--yes").stdout

    assert 5 <= there < 200
    assert raw.partition(".")[2] not in names
    [line] = [one for one in said.splitlines() if one.startswith(raw) and one.endswith("the same")]
    copied, before = map(int, line.split()[1:3])
    assert before >= there - 4  # an object that was being written may be there, but not marked as whole
    assert copied + before == 200
    sql = f"SELECT count(*), sum(CAST(n AS bigint)) FROM {raw}"
    assert theirs(cloud, sql) == mine(lake, sql)


def _many_files(lake):
    """Make a table over 200 files of text."""
    name = lake.name("curated", "many")
    place = location(lake.stack.profile.bucket, TableName("curated", name.partition(".")[2]))
    for number in range(200):
        lake.stack.storage.put(f"{place}/{number:03}.txt", f"{number}\n".encode() * 50_000)
    lake.stack.engine("trino").rows(
        f"CREATE TABLE hive.{name} (n varchar) WITH (format = 'CSV', external_location = '{place}')"
    )
    return name


def test_a_copy_that_is_not_the_same_is_not_registered(lake, cloud, tables, moved, variables):
    """An object that looks like the copy but has other bytes: the comparison names table and column."""
    lake.drop_file("rows_2019.txt", "1|1\n2|2\n")
    raw = lake.raw(("id", "amount"))
    lake.load(raw, "2019")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        target = Stack.build(Profile.load(None, HEADWATER_PROFILE="aws", HEADWATER_BUCKET=BUCKET))
        migration = Migration(source=lake.stack, target=target)
        plan = migration.plan([raw.name])
        [step] = plan.work
        [changed] = [one for one in step.origin.objects if one.uri.endswith("rows_2019.txt")]
        there = changed.uri.replace(f"s3://{lake.stack.profile.bucket}/", f"s3://{BUCKET}/")
        far(lake, cloud)._client.put_object(
            Bucket=BUCKET,
            Key=there.removeprefix(f"s3://{BUCKET}/"),
            Body=b"1|1\n3|3\n",
            Metadata={"headwater-copy-of": changed.tag},
        )
        with pytest.raises(RowsDiffer, match=r"column id: .*column amount: the sum of all values' checksums"):
            migration.run(plan, print)
        far(lake, cloud).delete([there])

    assert len(cloud.rows(f"SELECT * FROM {raw.name} WHERE year = 2019")) == 30
    assert not [name for name in known(cloud) if "__stage" in name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bucket": "nowhere-at-all"}, "There is no bucket nowhere-at-all"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"HEADWATER_ATHENA_WORKGROUP": "nobodys"}, "nobodys"),
        ({"tables": ("curated.none",)}, "There is no table curated.none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_copied(up, variables, given, said):
    """One sentence, without a traceback."""
    more = {name: value for name, value in given.items() if name.isupper()}
    bucket = ("--bucket", given["bucket"]) if "bucket" in given else ()
    done = up(*bucket, "--yes", *given.get("tables", ()), check=False, **more)

    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
