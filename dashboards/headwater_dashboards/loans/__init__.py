"""The default project's dashboards: YAML, read by ``headwater dashboards``."""
