"""How a definition becomes a Dagster asset, and how Dagster runs in the box."""
