"""The catalog's process: pages, REST, the OpenLineage endpoint, and a watch over the project's definitions."""
