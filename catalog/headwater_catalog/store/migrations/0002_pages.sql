-- What the pages ask besides: how fresh a table is meant to be, and the runs that belong to another.

ALTER TABLE node ADD COLUMN fresh_within_hours double precision;
CREATE INDEX run_parent ON run (parent) WHERE parent <> '';
