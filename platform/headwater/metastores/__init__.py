"""The metastores that Headwater can keep its tables in."""
