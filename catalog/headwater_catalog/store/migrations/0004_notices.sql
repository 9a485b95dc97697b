-- Tables that the metastore has told of: whether they are there is its word, whatever order events come in.

ALTER TABLE node ADD COLUMN followed boolean NOT NULL DEFAULT false;
