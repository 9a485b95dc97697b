-- Whoever tells of very many tables in one transaction has their words indexed once, at its end, and not by every word.

CREATE OR REPLACE FUNCTION index_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('headwater.words', true) IS DISTINCT FROM 'at once' THEN
    PERFORM index_words(array_agg(DISTINCT node_id)) FROM told HAVING count(*) > 0;
  END IF;
  RETURN NULL;
END $$;
