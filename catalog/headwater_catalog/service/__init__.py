"""The catalog's process: REST, the OpenLineage endpoint, and a watch over the project's definitions."""
