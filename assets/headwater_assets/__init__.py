"""How a definition becomes a Dagster asset (lib), and the loans, the default project."""
