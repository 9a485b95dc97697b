"""The metadata catalog: one node per table under all its names, with columns, runs and lineage."""
