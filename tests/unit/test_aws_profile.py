"""The profile `aws`: the same definitions, with lake, metastore and engines in an account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from headwater.box.clients import client_variables
from headwater.box.components import all_components, box_components
from headwater.box.programs import to_start
from headwater.box.serving import require_running, require_supervised
from headwater.cli import headwater
from headwater.credentials import ensure_credentials
from headwater.engines.athena import AthenaEngine
from headwater.errors import ConfigError
from headwater.metastores.glue import GlueMetastore
from headwater.profile import Profile
from headwater.project import load_project
from headwater.sqlbody import problems_on
from headwater.stack import Stack
from headwater_assets.lib.adapter import definitions_of
from headwater_dashboards.assets import specs
from headwater_dashboards.documents import folders, load
from headwater_dashboards.readers import tables_of

REPOSITORY = Path(__file__).resolve().parents[2]
AWS = {"HEADWATER_PROFILE": "aws", "HEADWATER_BUCKET": "lake-of-tests"}


@pytest.fixture
def aws(tmp_path):
    """The profile with nothing but what it must have."""
    return Profile.load({**AWS, "HEADWATER_PROJECT": str(tmp_path)})


def test_the_bucket_must_be_named(tmp_path):
    """Names of buckets are the whole world's, so there is no default."""
    with pytest.raises(ConfigError, match=r"HEADWATER_BUCKET is not set, and the profile aws.*`headwater aws deploy`"):
        Profile.load({"HEADWATER_PROFILE": "aws", "HEADWATER_PROJECT": str(tmp_path)})


@pytest.mark.parametrize("name", ["s3://lake", "Lake", "a"])
def test_a_bucket_that_cannot_be_is_refused(tmp_path, name):
    """The sentence says how names of buckets look."""
    with pytest.raises(ConfigError, match=r"HEADWATER_BUCKET is .*; give 3 to 63 lower-case letters"):
        Profile.load({**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_BUCKET": name})


def test_the_longest_reuse_is_athenas(tmp_path):
    """A week, in minutes."""
    with pytest.raises(ConfigError, match="HEADWATER_ATHENA_REUSE is '10081'; give 0 to 10080 minutes"):
        Profile.load({**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_ATHENA_REUSE": "10081"})


def test_the_adapters_are_those_of_aws(aws):
    """S3, Glue and Athena, without any key of ours and without a box."""
    stack = Stack.build(aws)

    assert (stack.storage.endpoint, stack.storage.access_key, stack.storage.secret_key) == ("", "", "")
    assert isinstance(stack.metastore, GlueMetastore)
    assert not [key for key in stack.metastore.files if "key" in key or "endpoint" in key]
    assert isinstance(stack.engine("trino"), AthenaEngine)
    assert not aws.home.exists()


def test_dashboards_reach_athena_with_no_key_of_ours(tmp_path):
    """As the readers, in the region and work group of the profile; keys are those of Superset's own process."""
    given = {**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_ATHENA_WORKGROUP": "hw"}
    lake = Stack.connection(Profile.load({**given, "AWS_REGION": "eu-west-1", "HEADWATER_ATHENA_REUSE": "60"}))
    nowhere = Stack.connection(Profile.load(given))

    assert lake.address() == (
        "awsathena+rest://athena.eu-west-1.amazonaws.com:443/curated?work_group=hw-reader&catalog_name=AwsDataCatalog"
    )
    assert (lake.open, lake.arguments["result_reuse_minutes"]) == (True, 60)
    assert nowhere.address().startswith("awsathena+rest:///curated?")
    assert "result_reuse_enable" not in nowhere.arguments


def test_every_lake_is_a_database_of_its_own_in_superset(aws, tmp_path):
    """A bucket's name is nobody else's; another work group does not make it another lake."""
    local = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_HOME": str(tmp_path / "none")})
    other = Profile.load({**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_BUCKET": "another-lake"})
    same = Profile.load({**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_ATHENA_WORKGROUP": "w"})
    box, lake = Stack.connection(local), Stack.connection(aws)

    assert len({(one.uuid, one.name) for one in (box, lake, Stack.connection(other))}) == 3
    assert Stack.connection(same).uuid == lake.uuid
    assert not box.open


def test_superset_may_be_elsewhere(tmp_path):
    """Programs and people then go to that address, and a way through a proxy can still be given for people."""
    given = {**AWS, "HEADWATER_PROJECT": str(tmp_path)}
    there = Profile.load({**given, "HEADWATER_SUPERSET": "https://superset.example.com/"})
    both = Profile.load({**there.environment(), "HEADWATER_URLS": "superset=https://charts.example.com"})

    assert (there.superset, there.url("superset")) == ("https://superset.example.com",) * 2
    assert (both.superset, both.url("superset")) == ("https://superset.example.com", "https://charts.example.com")
    assert Profile.load(given).superset == Profile.load(given).url("superset") == "http://127.0.0.1:7701"
    with pytest.raises(ConfigError, match="HEADWATER_SUPERSET is 'superset:8088'; give a URL such as"):
        Profile.load({**given, "HEADWATER_SUPERSET": "superset:8088"})


def test_a_reader_has_a_work_group_and_bounds_of_its_own(aws):
    """What an assistant asks can neither run for ever nor read everything."""
    reader = Stack.build(aws).reader(seconds=30, scanned="4GB")

    assert (reader.work_group, reader.seconds, reader.most_scanned) == ("headwater-reader", 30, "4GB")


def test_regions_and_stand_ins_are_those_of_the_aws_clients(tmp_path):
    """Their own variables count, and under `local` they do not: a box's MinIO is where it is."""
    given = {
        "HEADWATER_PROJECT": str(tmp_path),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
    }
    aws, local = Profile.load({**given, **AWS}), Profile.load(given)

    assert (aws.region, aws.store.endpoint) == ("eu-west-1", "http://127.0.0.1:9000")
    assert Stack.build(aws).metastore.files["s3.endpoint"] == "http://127.0.0.1:9000"
    assert (local.region, local.followed) == ("us-east-1", None)


def test_a_box_of_it_has_all_but_the_lake(aws):
    """What an account gives in place of the rest is no part of it; nothing that stays needs what is left out."""
    box, everything = box_components(aws), all_components()

    assert set(box) == {"postgres", "superset", "dagster", "catalog"}
    assert set(everything) - set(box) == {"minio", "metastore", "spark", "trino", "aws-api"}
    assert set(to_start(box, ())) == set(box)


def test_its_box_is_not_that_of_local(aws, tmp_path):
    """One project has a box for each lake; without passwords in the environment one may be started here."""
    local = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})

    assert (aws.home.name, local.home.name) == (".headwater-aws", ".headwater")
    assert aws.supervised
    require_supervised(aws)


def test_without_a_box_it_is_no_trouble(aws):
    """SQL and ingest ask the account alone; what asks the box says that there is none, as does a missing password."""
    require_running(aws, lake_alone=True)

    with pytest.raises(ConfigError, match=r"no headwater.toml in .* and no box in .*headwater-aws"):
        require_running(aws)
    with pytest.raises(ConfigError, match=r"password of superset is not here: set HEADWATER_PASSWORD_SUPERSET"):
        aws.credentials.password("superset")
    assert not aws.home.exists()


def test_with_passwords_given_somebody_else_starts_components(tmp_path):
    """A task on ECS has no box of its own."""
    given = {**AWS, "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PASSWORD_SUPERSET": "s"}
    there = Profile.load(given)

    assert there.credentials.password("superset") == "s"
    with pytest.raises(ConfigError, match="Under the profile aws components are started by whoever gave"):
        require_supervised(there)


def test_its_box_keeps_its_own_passwords(aws):
    """Once it was started, as a local one."""
    made = ensure_credentials(aws.home)

    assert Profile.load(aws.environment()).credentials == made
    shown = json.loads(CliRunner(env=aws.environment()).invoke(headwater, ["credentials", "-o", "json"]).stdout)
    assert {one["login"].partition("-")[0] for one in shown} == set(box_components(aws))
    assert "TRINO_PASSWORD" not in client_variables(aws)
    assert client_variables(aws)["SUPERSET_PASSWORD"] == made.password("superset")


def test_in_pods_the_rest_is_found_by_the_releases_name(tmp_path):
    """The chart's components with an account's lake."""
    given = {"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_RELEASE": "hw", "HEADWATER_BUCKET": "lake-of-tests"}
    pods = Profile.load({**given, "HEADWATER_PROFILE": "eks"})
    without = {name: text for name, text in given.items() if name != "HEADWATER_BUCKET"}

    assert (pods.host_of("dagster-code"), pods.supervised) == ("hw-dagster-code", False)
    assert isinstance(Stack.build(pods).engine("trino"), AthenaEngine)
    with pytest.raises(ConfigError, match="HEADWATER_BUCKET is not set, and the profile eks"):
        Profile.load({**without, "HEADWATER_PROFILE": "eks"})


@pytest.mark.parametrize("where", ["aws", "eks"])
def test_definitions_are_equal_under_local_and_aws(where):
    """Keys, upstreams, columns, partitions, checks, bodies and owners of the loans do not depend on where they run."""
    there = {**AWS, "HEADWATER_PROFILE": where}
    told = [_told(Profile.load(given, HEADWATER_PROJECT=str(REPOSITORY))) for given in ({}, there)]

    assert len(told[0]["assets"]) > 7
    assert told[0] == told[1]


def test_charts_are_equal_under_local_and_aws():
    """Each dashboard, chart and dataset, and the tables that it reads."""
    told = []
    for given in ({}, AWS):
        documents = load(folders(Profile.load(given, HEADWATER_PROJECT=str(REPOSITORY))))
        boards = documents.of("dashboards")
        told.append(
            (
                {kind: [one.data for one in documents.of(kind)] for kind in ("dashboards", "charts", "datasets")},
                [tables_of(one, documents) for one in boards],
            )
        )

    assert all(told[0][0].values())
    assert told[0] == told[1]


def test_every_sql_body_of_the_loans_runs_on_athena():
    """Athena lacks nothing that they use."""
    project = load_project(Profile.load({}, HEADWATER_PROJECT=str(REPOSITORY)))

    assert [problem for table in project.tables for problem in problems_on(table, "athena")] == []


def test_pages_of_the_engines_are_those_of_the_profile(aws, tmp_path):
    """What a step links to."""
    local = Profile.load({"HEADWATER_PROJECT": str(tmp_path)})

    assert local.pages == {"trino": "https://127.0.0.1:7703/ui/"}
    assert list(aws.pages) == ["athena"]


def _told(profile: Profile) -> dict[str, object]:
    project = load_project(profile)
    graph = definitions_of(project, profile).resolve_asset_graph()
    assets = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitions": node.partitions_def.get_partition_keys() if node.partitions_def else None,
            "group": node.group_name,
            "owners": list(node.owners),
            "kinds": sorted(node.kinds),
            "tags": dict(node.tags),
            "doc": node.description,
            "columns": _columns(node.metadata.get("dagster/column_schema")),
            "checks": sorted(check.name for check in node.check_keys),
        }
    tables = {
        table.name: (table.columns, table.upstreams, table.body, table.engine, table.partitioning, table.checks)
        for table in project.tables
    }
    dashboards = sorted(spec.key.to_user_string() for spec in specs(project, profile))
    return {"assets": assets, "tables": tables, "dashboards": dashboards}


def _columns(schema):
    return [(one.name, one.type, one.description) for one in schema.columns] if schema else None
