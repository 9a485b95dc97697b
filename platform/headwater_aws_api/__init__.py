"""The AWS APIs of the box: Glue, Athena and EMR Serverless over its own metastore, Trino and Spark."""
