-- The checks that definitions declare, and what each of them reads: they break with it.

CREATE TABLE promise (
    node_id bigint NOT NULL REFERENCES node,
    name text NOT NULL,
    columns text[] NOT NULL,
    promise text NOT NULL,
    blocking boolean NOT NULL,
    PRIMARY KEY (node_id, name)
);

CREATE TABLE promise_read (
    node_id bigint NOT NULL,
    name text NOT NULL,
    read_id bigint NOT NULL REFERENCES node,
    column_name text NOT NULL,          -- empty: which columns is not known
    PRIMARY KEY (read_id, column_name, node_id, name),
    FOREIGN KEY (node_id, name) REFERENCES promise ON DELETE CASCADE
);
CREATE INDEX promise_read_by ON promise_read (node_id, name);
