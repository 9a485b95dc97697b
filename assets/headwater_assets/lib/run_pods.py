"""Dagster's runs as pods: what its launcher is told.

What a pod is like, its image, its passwords and what it may not do, stands in a file that Dagster is given. The process
in it is the launcher's own, behind ``headwater exec dagster``, which renders the configuration as for every other
process of Dagster.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from headwater.box.component import Box

__all__ = ["pod_launcher"]


def pod_launcher(box: Box, file: str) -> dict[str, Any]:
    """Return the settings of Dagster's launcher of Kubernetes jobs.

    Args:
        box: Whose Dagster.
        file: A pod in JSON; its first container is the run's.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        pod = json.loads(Path(file).read_text(encoding="utf-8"))
        labels, spec = pod["metadata"]["labels"], dict(pod["spec"])
        container, account = dict(spec.pop("containers")[0]), spec.pop("serviceAccountName")
        image = container.pop("image")
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(f"HEADWATER_RUN_POD is {file}, which describes no pod in JSON: {error!r}.") from error
    return {
        "job_namespace": box.profile.setting("HEADWATER_NAMESPACE"),
        "service_account_name": account,
        "job_image": image,
        "image_pull_policy": container.pop("imagePullPolicy", "IfNotPresent"),
        "labels": labels,
        # The folder that `headwater exec dagster` renders in each pod; no map of files is mounted there.
        "dagster_home": str(box.conf("dagster")),
        "instance_config_map": "unused",
        "load_incluster_config": True,
        "fail_pod_on_run_failure": False,
        "run_k8s_config": {
            "container_config": container,
            "pod_spec_config": spec,
            # A run is the launcher's to start again, never Kubernetes'. Until it has said that it began, Dagster does
            # not look for its pod, so that waits for a database that is away (`exec --wait`), and does not end.
            "job_spec_config": {"backoff_limit": 0, "ttl_seconds_after_finished": 86400},
        },
    }
