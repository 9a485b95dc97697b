-- What runs tell of tables besides lineage: checks, size and shape, what columns hold, and who reads them.

CREATE TABLE check_result (
    node_id bigint NOT NULL REFERENCES node,
    run_id text NOT NULL REFERENCES run,
    name text NOT NULL,
    columns text[] NOT NULL,
    at timestamptz NOT NULL,
    passed boolean NOT NULL,
    blocking boolean NOT NULL,
    promise text NOT NULL,
    broken bigint,
    total bigint,
    partition text NOT NULL,
    PRIMARY KEY (node_id, run_id, name, columns)
);
CREATE INDEX check_result_node ON check_result (node_id, at DESC);

-- The whole table as each run left it.
CREATE TABLE version (
    node_id bigint NOT NULL REFERENCES node,
    run_id text NOT NULL REFERENCES run,
    at timestamptz NOT NULL,
    snapshot text NOT NULL,
    operation text NOT NULL,
    rows bigint,
    bytes bigint,
    files bigint,
    gone_at timestamptz,                -- since when it is known that its data are gone
    PRIMARY KEY (node_id, run_id)
);
CREATE INDEX version_node ON version (node_id, at DESC);

-- Each partition as it is since its last write; the key is empty for a table without partitions.
CREATE TABLE part (
    node_id bigint NOT NULL REFERENCES node,
    key text NOT NULL,
    run_id text NOT NULL REFERENCES run,
    at timestamptz NOT NULL,
    rows bigint,
    bytes bigint,
    files bigint,
    profile jsonb,
    PRIMARY KEY (node_id, key)
);

-- What the columns of all known partitions hold together.
CREATE TABLE profile (
    node_id bigint PRIMARY KEY REFERENCES node,
    rows bigint,
    partitions int NOT NULL,
    columns jsonb NOT NULL
);

-- Who read a table: one row for each query and table.
CREATE TABLE reading (
    node_id bigint NOT NULL REFERENCES node,
    query text NOT NULL,
    at timestamptz NOT NULL,
    reader text NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (node_id, query)
);
CREATE INDEX reading_node ON reading (node_id, at DESC);

ALTER TABLE node ADD COLUMN revision text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN revised_at timestamptz;
ALTER TABLE node ADD COLUMN uncommitted boolean NOT NULL DEFAULT false;
