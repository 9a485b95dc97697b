-- What keeps a question's cost at the size of its answer in a catalog of 100,000 tables.

-- The words of a text: search compares these, so that a letter, a prefix or a phrase is looked up and nothing scanned.
CREATE FUNCTION tokens(said text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array_remove(regexp_split_to_array(lower(said), '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+'), '')
$$;

-- Every word that any text holds, once: what a misspelt one is compared with.
CREATE TABLE lexeme (
    text text PRIMARY KEY
);

-- The words of a node's name and title, and those of all that is said of it; 4000 of them always fit.
CREATE TABLE document (
    node_id bigint PRIMARY KEY REFERENCES node ON DELETE CASCADE,
    named tsvector NOT NULL,
    said tsvector NOT NULL
);

CREATE FUNCTION index_words(nodes bigint[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO lexeme SELECT DISTINCT left(t, 60) FROM word, unnest(tokens(text)) AS t WHERE node_id = ANY(nodes)
    ORDER BY 1 ON CONFLICT DO NOTHING;
  INSERT INTO document
    SELECT node_id,
      array_to_tsvector(coalesce((array_agg(DISTINCT left(t, 60)) FILTER (WHERE what IN ('name', 'title')))[:4000], '{}')),
      array_to_tsvector((array_agg(DISTINCT left(t, 60)))[:4000])
    FROM word, unnest(tokens(text)) AS t WHERE node_id = ANY(nodes) GROUP BY node_id
    ON CONFLICT (node_id) DO UPDATE SET named = excluded.named, said = excluded.said;
$$;

CREATE FUNCTION index_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM index_words(array_agg(DISTINCT node_id)) FROM told HAVING count(*) > 0;
  RETURN NULL;
END $$;
CREATE TRIGGER word_added AFTER INSERT ON word REFERENCING NEW TABLE AS told
  FOR EACH STATEMENT EXECUTE FUNCTION index_told();
CREATE TRIGGER word_gone AFTER DELETE ON word REFERENCING OLD TABLE AS told
  FOR EACH STATEMENT EXECUTE FUNCTION index_told();

SELECT index_words(array_agg(id)) FROM node;
DROP INDEX word_text;
-- A search is not to look through what was added since the last vacuum.
CREATE INDEX lexeme_alike ON lexeme USING gin (text gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX document_named ON document USING gin (named) WITH (fastupdate = off);
CREATE INDEX document_said ON document USING gin (said) WITH (fastupdate = off);

-- Browsing in the order in which pages show tables, and narrowing.
CREATE INDEX node_browsed ON node ((dropped_at IS NOT NULL), (kind <> 'table'), name);
CREATE INDEX node_base ON node (substr(name, strpos(name, '.') + 1));
CREATE INDEX node_owner ON node (owner) WHERE owner <> '';
CREATE INDEX node_tagged ON node USING gin (tags);
CREATE INDEX column_fact_tagged ON column_fact USING gin (tags) WHERE until IS NULL AND tags <> '{}';
CREATE INDEX column_fact_tags ON column_fact (node_id) INCLUDE (tags) WHERE until IS NULL AND tags <> '{}';

-- The last write of a table that very many runs read.
CREATE INDEX partaking_direction ON partaking (node_id, direction, at DESC);

-- What a definition said when it was written here: an unchanged one costs nothing but this comparison.
ALTER TABLE node ADD COLUMN digest text NOT NULL DEFAULT '';
DELETE FROM mark WHERE name = 'definitions';
