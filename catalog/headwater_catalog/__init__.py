"""The metadata catalog: every table, column, run and chart. It comes with the catalog component."""
