-- What people say by hand, who changed what, and which tags are inherited along lineage.

-- What code says stays apart; doc, owner, domain and tags are what counts: code's, and by hand what code leaves empty.
ALTER TABLE node ADD COLUMN code_doc text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN code_owner text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN code_domain text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN code_tags text[] NOT NULL DEFAULT '{}';
ALTER TABLE node ADD COLUMN there jsonb;  -- the columns as the metastore has them: name, type, comment
UPDATE node SET code_doc = doc, code_owner = owner, code_domain = domain, code_tags = tags;
-- What a definition gives is compared with what is there from the next look at the metastore on.
DELETE FROM mark WHERE name = 'notices';

-- A term of the glossary is a node, too: found by search, described by hand, with history.
CREATE UNIQUE INDEX node_term ON node (lower(title)) WHERE kind = 'term';
CREATE INDEX node_domain ON node (domain) WHERE domain <> '';

CREATE TABLE by_hand (
    node_id bigint NOT NULL REFERENCES node,
    column_name text NOT NULL,          -- empty: the table itself
    what text NOT NULL,                 -- doc, owner, domain, tag, term, synonym
    key text NOT NULL,                  -- the tag, the synonym, the term's id; empty where there is but one
    value text NOT NULL,                -- of what there is but one
    who text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (node_id, column_name, what, key)
);
CREATE INDEX by_hand_key ON by_hand (what, key);

-- Every change that a person made; nothing is ever taken out of it.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    who text NOT NULL,
    node_id bigint REFERENCES node ON DELETE SET NULL,
    subject text NOT NULL,              -- what it was called then
    column_name text NOT NULL DEFAULT '',
    what text NOT NULL,
    before text NOT NULL,
    after text NOT NULL
);
CREATE INDEX audit_node ON audit (node_id, id DESC);

-- Logins of people, by the digest of a token that is long and random.
CREATE TABLE login (
    name text PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);

-- Tags that columns made of tagged ones have, too; a project adds its own to pii.
CREATE TABLE inherited_tag (
    tag text NOT NULL,
    project text NOT NULL,
    PRIMARY KEY (tag, project)
);
INSERT INTO inherited_tag VALUES ('pii', '');

-- Who inherits which tag, and from which column, the nearest; made from the tables above and lineage.
CREATE TABLE inherited (
    node_id bigint NOT NULL,
    column_name text NOT NULL,
    tag text NOT NULL,
    from_id bigint NOT NULL,
    from_column text NOT NULL,
    PRIMARY KEY (node_id, column_name, tag)
);
CREATE INDEX inherited_tag_node ON inherited (tag, node_id);
CREATE INDEX inherited_from ON inherited (from_id, from_column);

-- Columns of which a tag, or what they are made of, has changed since inheritance was last made.
CREATE TABLE inherit_todo (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id bigint NOT NULL,
    column_name text NOT NULL
);

-- The triggers run for rows that are new or closed, not for those that are seen again.
CREATE FUNCTION inherit_by_column_edge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO inherit_todo (node_id, column_name) SELECT target_id, NEW.target_column FROM edge WHERE id = NEW.edge_id;
  RETURN NULL;
END $$;
CREATE TRIGGER inherit_new AFTER INSERT ON column_edge FOR EACH ROW
  WHEN (NEW.target_column <> '' AND NEW.kind IN ('copied', 'transformed')) EXECUTE FUNCTION inherit_by_column_edge();
CREATE TRIGGER inherit_closed AFTER UPDATE OF until ON column_edge FOR EACH ROW
  WHEN (NEW.target_column <> '' AND NEW.kind IN ('copied', 'transformed')) EXECUTE FUNCTION inherit_by_column_edge();

CREATE FUNCTION inherit_by_edge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO inherit_todo (node_id, column_name)
    SELECT t.node, c.target_column FROM column_edge AS c, unnest(ARRAY[OLD.target_id, NEW.target_id]) AS t (node)
    WHERE c.edge_id = NEW.id AND c.target_column <> '' AND c.kind IN ('copied', 'transformed');
  RETURN NULL;
END $$;
CREATE TRIGGER inherit_moved AFTER UPDATE OF source_id, target_id, until ON edge FOR EACH ROW
  EXECUTE FUNCTION inherit_by_edge();

CREATE FUNCTION inherit_by_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO inherit_todo (node_id, column_name) VALUES (NEW.node_id, NEW.name);
  RETURN NULL;
END $$;
CREATE TRIGGER inherit_tagged AFTER INSERT OR UPDATE OF until, node_id ON column_fact FOR EACH ROW
  WHEN (NEW.tags <> '{}') EXECUTE FUNCTION inherit_by_column();

CREATE FUNCTION inherit_by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO inherit_todo (node_id, column_name)
    SELECT DISTINCT one.node_id, one.column_name FROM (VALUES (OLD.node_id, OLD.column_name),
      (NEW.node_id, NEW.column_name)) AS one (node_id, column_name) WHERE one.column_name <> '';
  RETURN NULL;
END $$;
CREATE TRIGGER inherit_tagged AFTER INSERT OR UPDATE OR DELETE ON by_hand FOR EACH ROW
  EXECUTE FUNCTION inherit_by_hand();
-- What the catalog knew before is looked at once.
INSERT INTO inherit_todo (node_id, column_name)
  SELECT node_id, name FROM column_fact WHERE until IS NULL AND tags <> '{}';
