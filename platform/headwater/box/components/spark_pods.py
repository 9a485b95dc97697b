"""Spark's executors as pods: what the driver asks Kubernetes for, and the process that a pod becomes.

What a pod is like, its image, its folders and what it may not do, stands in a file that the driver is given. Which
process it becomes is rendered here; what Spark tells that process comes in variables, as to Spark's own image.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.box.components.java import megabytes
from headwater.errors import ConfigError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.profile import Profile

__all__ = ["executor_arguments", "executor_heap", "pod_settings"]

_MAIN = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
# Beside its heap a process of Java wants classes, compiled code, buffers; here for what an executor loads.
_BESIDE_HEAP_MEGABYTES = 768
_OPTION = re.compile(r"SPARK_JAVA_OPT_(\d+)")
# Spark asks for a module that the images' Java lacks, and computes without it just as well.
_ABSENT = "--add-modules=jdk.incubator.vector"
# option of the executor's main class -> the variable in which Spark tells it
_TOLD = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}


def pod_settings(profile: Profile) -> dict[str, str]:
    """Return what makes Spark start executors as pods; nothing where the driver computes alone.

    Raises:
        ConfigError: The file that says what the pods are like cannot be read.
    """
    file = profile.setting("HEADWATER_SPARK_POD")
    if not file:
        return {}
    heap, cores = profile.setting("HEADWATER_SPARK_EXECUTOR_HEAP"), profile.setting("HEADWATER_SPARK_EXECUTOR_CORES")
    return {
        "spark.master": "k8s://https://kubernetes.default.svc:443",
        "spark.kubernetes.namespace": profile.setting("HEADWATER_NAMESPACE"),
        # Executors belong to this pod and go with it.
        "spark.kubernetes.driver.pod.name": os.uname().nodename,
        "spark.kubernetes.executor.podTemplateFile": file,
        **_repeated(Path(file)),
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.kubernetes.executor.request.cores": cores,
        "spark.kubernetes.executor.limit.cores": cores,
        "spark.executor.cores": cores,
        "spark.executor.memory": heap,
        "spark.executor.memoryOverhead": f"{max(_BESIDE_HEAP_MEGABYTES, megabytes(heap) // 4)}m",
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": "0",
        "spark.dynamicAllocation.maxExecutors": profile.setting("HEADWATER_SPARK_EXECUTORS"),
        "spark.dynamicAllocation.executorIdleTimeout": "120s",
        # Whoever reached the driver's port could otherwise join in and read its settings, keys among them.
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
    }


def executor_heap() -> str:
    """Return the heap that Spark wants of an executor."""
    return _told("SPARK_EXECUTOR_MEMORY")


def executor_arguments() -> list[str]:
    """Return the options, main class and arguments of an executor's Java.

    Raises:
        ConfigError: This process was not started by Spark.
    """
    given = inherited_env()
    numbered = sorted((int(found[1]), text) for name, text in given.items() if (found := _OPTION.fullmatch(name)))
    return [*(text for _, text in numbered if not text.startswith(_ABSENT)), _MAIN, *_pairs()]


def _pairs() -> list[str]:
    return [part for option, name in _TOLD.items() for part in (option, _told(name))]


def _told(name: str) -> str:
    given: Mapping[str, str] = inherited_env()
    if not given.get(name):
        raise ConfigError(f"An executor is started by Spark, which sets {name}; start spark itself.")
    return given[name]


def _repeated(file: Path) -> dict[str, str]:
    """Return what the template says already, but Spark insists on being told."""
    try:
        spec = json.loads(file.read_text(encoding="utf-8"))["spec"]
        return {
            "spark.kubernetes.container.image": spec["containers"][0]["image"],
            "spark.kubernetes.container.image.pullPolicy": spec["containers"][0]["imagePullPolicy"],
            "spark.kubernetes.authenticate.executor.serviceAccountName": spec["serviceAccountName"],
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(f"HEADWATER_SPARK_POD is {file}, which describes no pod in JSON: {error!r}.") from error
