"""What people run against the box's AWS APIs, as programs: each gets addresses and keys from its environment alone."""

WRANGLER = """
import sys
import awswrangler as wr
import pandas as pd
database, place = sys.argv[1:]
rows = pd.DataFrame({"id": pd.array([1, 2, None], "Int64"), "name": ["a", None, "c"], "year": [2019, 2019, 2020],
                     "at": pd.to_datetime(["2020-01-01 00:00:00.123", "2021-01-01 00:00:00.000", None])})
wr.s3.to_parquet(rows, path=place, dataset=True, database=database, table="wrangled", partition_cols=["year"],
                 mode="overwrite",
                 glue_table_settings={"description": "Wrangled.", "columns_comments": {"id": "The number."}})
for ways in ({"ctas_approach": True}, {"ctas_approach": False}, {"unload_approach": True, "ctas_approach": False,
             "s3_output": place.rstrip("/") + "_unloaded/"}):
    back = wr.athena.read_sql_query("SELECT * FROM wrangled ORDER BY id", database=database, **ways)
    back = back.sort_values("id").reset_index(drop=True)
    assert back["id"].tolist()[:2] == [1, 2] and back["name"].fillna("").tolist() == ["a", "", "c"], back
    assert back["year"].astype(int).tolist() == [2019, 2019, 2020], back
    assert str(back["at"][0]) == "2020-01-01 00:00:00.123000", back
assert wr.catalog.get_table_description(database, "wrangled") == "Wrangled."
assert wr.catalog.get_columns_comments(database, "wrangled")["id"] == "The number."
assert len(wr.catalog.get_partitions(database, "wrangled")) == 2
wr.s3.to_parquet(rows[:1], path=place, dataset=True, database=database, table="wrangled", partition_cols=["year"],
                 mode="append")
print(wr.athena.read_sql_query("SELECT count(*) AS n FROM wrangled", database=database)["n"][0])
"""

PYATHENA = """
import os, sys
from pyathena import connect
from pyathena.pandas.cursor import PandasCursor
database, place = sys.argv[1:]
settings = {"s3_staging_dir": place, "schema_name": database, "region_name": os.environ["AWS_DEFAULT_REGION"]}
with connect(**settings) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT n, CAST(n AS varchar) AS s FROM UNNEST(sequence(1, 2500)) AS t(n) ORDER BY n")
    rows = cursor.fetchall()
    assert rows[0] == (1, "1") and rows[-1] == (2500, "2500") and len(rows) == 2500, rows[:3]
    cursor.execute("SELECT %(x)s AS x, date '2020-02-29' AS d, decimal '1.50' AS c, NULL AS n", {"x": "it's"})
    row = cursor.fetchone()
    assert (row[0], str(row[1]), str(row[2]), row[3]) == ("it's", "2020-02-29", "1.50", None), row
    cursor.execute("SHOW TABLES")
    cursor.fetchall()
    frame = connection.cursor(PandasCursor).execute("SELECT 1 AS a, 'x' AS b").as_pandas()
    assert frame["b"][0] == "x", frame
print(len(rows))
"""

PIPES = """
import sys
import boto3
from dagster import AssetExecutionContext, asset, materialize
from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3MessageReader
application, role, bucket, entry = sys.argv[1:]

@asset
def counted(context: AssetExecutionContext, emr: PipesEMRServerlessClient):
    driver = {"sparkSubmit": {"entryPoint": entry}}
    start = {"applicationId": application, "executionRoleArn": role, "jobDriver": driver}
    return emr.run(context=context, start_job_run_params=start, extras={"rows": 7}).get_materialize_result()

s3 = boto3.client("s3")
reader = PipesS3MessageReader(bucket=bucket, client=s3, interval=0.5, include_stdio_in_messages=True)
client = PipesEMRServerlessClient(message_reader=reader, poll_interval=0.5)
result = materialize([counted], resources={"emr": client})
[made] = result.asset_materializations_for_node("counted")
print(made.metadata["rows"].value, made.metadata["spark"].value, made.metadata["AWS EMR Serverless Job Run ID"].value)
"""
