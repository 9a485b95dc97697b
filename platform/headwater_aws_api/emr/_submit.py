"""What a job's spark-submit parameters say, and what they become on the box. Pure.

On AWS a job names classes and jars that only EMR has, for the very catalog that the box's Spark uses anyway; those are
left out or said in the box's words, so that the same job runs here.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Submission", "box_settings", "read_submission", "spark_defaults"]

_DRIVER_ENV = "spark.emr-serverless.driverEnv."
# What the box decides: how large a job may be on this machine.
_OURS = (
    "--master",
    "--deploy-mode",
    "--driver-memory",
    "--driver-cores",
    "--executor-memory",
    "--executor-cores",
    "--num-executors",
    "--total-executor-cores",
)
_OUR_SETTINGS = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.",
    "spark.dynamicAllocation.",
    "spark.emr-serverless.",
    "spark.archives",
)
_FLAGS = ("--verbose", "--supervise")
_EMRS_OWN = "/usr/share/aws/"
_GLUE_CLIENT = "AWSGlueDataCatalogHiveClientFactory"
_GLUE_CATALOG = "org.apache.iceberg.aws.glue.GlueCatalog"


@dataclass(frozen=True)
class Submission:
    """What is run.

    Args:
        options: Of spark-submit, in their order.
        settings: Of Spark, which win over the box's.
        environment: Variables of the driver.
        entry: The program.
        arguments: Its arguments.
    """

    entry: str
    arguments: Sequence[str] = ()
    options: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def read_submission(driver: Mapping[str, Any], overrides: Mapping[str, Any], metastore: str) -> Submission:
    """Return what a job's driver and configuration ask for.

    Args:
        driver: ``jobDriver``.
        overrides: ``configurationOverrides``.
        metastore: The address of the box's metastore.

    Raises:
        AwsError: It is no Spark job, or its parameters cannot be read.
    """
    if "sparkSubmit" not in driver:
        raise AwsError("ValidationException", "jobDriver must be sparkSubmit: the box runs Spark jobs.")
    submit = driver["sparkSubmit"]
    options, settings = _parameters(submit.get("sparkSubmitParameters", ""))
    settings = {**spark_defaults(overrides.get("applicationConfiguration", ())), **settings}
    environment = {
        name.removeprefix(_DRIVER_ENV): value for name, value in settings.items() if name.startswith(_DRIVER_ENV)
    }
    return Submission(
        submit["entryPoint"],
        tuple(submit.get("entryPointArguments", ())),
        options,
        box_settings(settings, metastore),
        environment,
    )


def _parameters(text: str) -> tuple[tuple[str, ...], dict[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise AwsError("ValidationException", f"sparkSubmitParameters cannot be read: {error}.") from error
    options: list[str] = []
    settings: dict[str, str] = {}
    while words:
        name, equals, value = words.pop(0).partition("=")
        if not name.startswith("--"):
            raise AwsError("ValidationException", f"sparkSubmitParameters: {name!r} is no option of spark-submit.")
        if name in _FLAGS:
            continue
        if not equals:
            if not words:
                raise AwsError("ValidationException", f"sparkSubmitParameters: {name} has no value.")
            value = words.pop(0)
        if name in ("--conf", "-c"):
            key, _, said = value.partition("=")
            settings[key] = said
        elif name not in _OURS and not value.startswith(_EMRS_OWN):
            options += [name, value]
    return tuple(options), settings


def spark_defaults(configuration: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the properties of Spark among the classifications of a configuration."""
    found: dict[str, str] = {}
    for one in configuration:
        if one["classification"] == "spark-defaults":
            found |= one.get("properties", {})
    return found


def box_settings(given: Mapping[str, str], metastore: str) -> dict[str, str]:
    """Return Spark's properties in the box's words, without those that mean nothing here.

    Args:
        given: As they are said on AWS.
        metastore: The address of the box's metastore.
    """
    found: dict[str, str] = {}
    for name, value in given.items():
        emrs_own = _GLUE_CLIENT in value or (name.startswith("spark.jars") and _EMRS_OWN in value)
        if emrs_own or name.startswith(_OUR_SETTINGS):
            continue
        if name.endswith(".catalog-impl") and value == _GLUE_CATALOG:
            catalog = name.removesuffix(".catalog-impl")
            found |= {f"{catalog}.type": "hive", f"{catalog}.uri": f"thrift://{metastore}"}
        elif not (name.endswith(".io-impl") and value.startswith("org.apache.iceberg.aws.")):
            found[name] = value
    return found
