-- The catalog's tables. Facts are added and closed, never overwritten, so that the graph can be told as it was.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- One physical table each (headwater_catalog.identity.Node).
CREATE TABLE node (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_name text NOT NULL,
    born timestamptz NOT NULL,
    name text NOT NULL,                 -- what it is called now
    kind text NOT NULL DEFAULT 'table',
    doc text NOT NULL DEFAULT '',
    owner text NOT NULL DEFAULT '',
    domain text NOT NULL DEFAULT '',
    tags text[] NOT NULL DEFAULT '{}',
    place text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',   -- why its column lineage is missing or incomplete
    defined boolean NOT NULL DEFAULT false,
    made_at timestamptz,
    dropped_at timestamptz,
    UNIQUE (first_name, born)
);
CREATE INDEX node_name ON node (name);

CREATE TABLE alias (
    text text NOT NULL,
    node_id bigint NOT NULL REFERENCES node,
    kind text NOT NULL,
    key text NOT NULL DEFAULT '',       -- what a location or id without a meaning of its own is found by
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (text, node_id)
);
CREATE INDEX alias_key ON alias (key) WHERE key <> '';
CREATE INDEX alias_node ON alias (node_id);

CREATE TABLE rename (
    at timestamptz NOT NULL,
    old_name text NOT NULL,
    new_name text NOT NULL,
    PRIMARY KEY (old_name, new_name, at)
);
CREATE INDEX rename_new ON rename (new_name);

CREATE TABLE column_fact (
    node_id bigint NOT NULL REFERENCES node,
    name text NOT NULL,
    origin text NOT NULL,
    position int NOT NULL,
    type text NOT NULL,
    doc text NOT NULL,
    tags text[] NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz
);
CREATE UNIQUE INDEX column_fact_now ON column_fact (node_id, name) WHERE until IS NULL;
CREATE INDEX column_fact_node ON column_fact (node_id);

CREATE TABLE edge (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint NOT NULL REFERENCES node,
    target_id bigint NOT NULL REFERENCES node,
    origin text NOT NULL,
    since timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    until timestamptz
);
CREATE UNIQUE INDEX edge_now ON edge (target_id, source_id, origin) WHERE until IS NULL;
CREATE INDEX edge_source ON edge (source_id);
CREATE INDEX edge_target ON edge (target_id);

CREATE TABLE column_edge (
    edge_id bigint NOT NULL REFERENCES edge,
    source_column text NOT NULL,
    target_column text NOT NULL,        -- empty: the target's rows as a whole
    kind text NOT NULL,
    since timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    until timestamptz
);
CREATE UNIQUE INDEX column_edge_now ON column_edge (edge_id, target_column, source_column, kind) WHERE until IS NULL;
CREATE INDEX column_edge_source ON column_edge (edge_id, source_column);
CREATE INDEX column_edge_target ON column_edge (edge_id, target_column);

CREATE TABLE run (
    id text PRIMARY KEY,
    job_namespace text NOT NULL,
    job_name text NOT NULL,
    state text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    engine text NOT NULL,
    parent text NOT NULL,
    partition text NOT NULL,
    sql text NOT NULL,
    error text NOT NULL
);

-- What a run read and wrote, with snapshots.
CREATE TABLE partaking (
    run_id text NOT NULL REFERENCES run,
    node_id bigint NOT NULL REFERENCES node,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    at timestamptz NOT NULL,
    snapshot text NOT NULL,
    rows bigint,
    bytes bigint,
    PRIMARY KEY (run_id, node_id, direction)
);
CREATE INDEX partaking_node ON partaking (node_id, at DESC);
CREATE INDEX partaking_snapshot ON partaking (snapshot) WHERE snapshot <> '';

-- What happened to a table: made, dropped, renamed, defined, no longer defined.
CREATE TABLE change (
    node_id bigint NOT NULL REFERENCES node,
    at timestamptz NOT NULL,
    what text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (node_id, at, what, detail)
);

-- Every event as it came; its digest makes a repeated one nothing new.
CREATE TABLE event (
    digest bytea PRIMARY KEY,
    run_id text NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    sent_by text NOT NULL,
    body text NOT NULL
);
CREATE INDEX event_run ON event (run_id) WHERE run_id <> '';

-- Events that break the specification, kept aside.
CREATE TABLE refused (
    digest bytea PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    sent_by text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL
);

-- What search looks through: one row per name, column, doc, owner, tag.
CREATE TABLE word (
    node_id bigint NOT NULL REFERENCES node,
    what text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (node_id, what, text)
);
CREATE INDEX word_text ON word USING gin (text gin_trgm_ops);

-- What has been done once: the digest of the definitions that were last published.
CREATE TABLE mark (
    name text PRIMARY KEY,
    value text NOT NULL
);
