"""The box: runtimes from a lock file, one module per component, the supervisor around them."""
